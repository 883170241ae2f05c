"""A repository by https, from a server of the test's own whose name no resolver knows."""

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from fakes.git import commit, git
from twin_contracts.documents import AuthorRef, RawArticle, RawCode
from twin_crawler.address import AddressPolicy
from twin_crawler.crawlers import git_command
from twin_crawler.crawlers.git import CrawlGit
from twin_crawler.errors import FetchRefused
from twin_crawler.ports import Authorship, Found, Validators

HOST = "git.example"
NOBODY = AuthorRef.of("Nobody")


def certificate(folder: Path) -> Path:
    """Return a new certificate for the host, its key in the same file."""
    both = folder / "both.pem"
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


class Server:
    """Serves a folder's repositories by git's own HTTP program; `/moved` is elsewhere, `/locked` wants a password."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.asked: list[str] = []
        self._folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if self.path.startswith("/moved"):
                    self._refuse(301, "Location", self.path.replace("/moved", "/mill"))
                elif self.path.startswith("/locked"):
                    self._refuse(401, "WWW-Authenticate", 'Basic realm="mill"')
                else:
                    self._serve()

            def _refuse(self, status: int, name: str, value: str) -> None:
                self.send_response(status)
                self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _serve(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                environment = {
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(outer._folder),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_CONFIG_NOSYSTEM": "1",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "REMOTE_ADDR": "127.0.0.1",
                }
                run = subprocess.run(
                    ["git", "http-backend"], env=environment, input=body, capture_output=True, check=True
                )
                head, _, content = run.stdout.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - the server's own name

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    key = certificate(tmp_path)
    trusted = f"http.sslCAInfo={tmp_path / 'certificate.pem'}"
    monkeypatch.setattr(git_command, "_SETTINGS", (*git_command._SETTINGS, trusted))
    with Server(tmp_path / "served", key) as server:
        yield server


def crawler(*addresses: str) -> CrawlGit:
    """Return a crawler for which the host is at these addresses; the machine's resolver does not know it."""
    return CrawlGit(AddressPolicy(allow_hosts=HOST, resolve=lambda _: list(addresses)))


def test_a_repository_is_fetched_from_the_address_that_was_checked(server: Server, tmp_path: Path) -> None:
    part = commit(tmp_path / "served/part", {"part.py": "part = 1\n"})
    commit(tmp_path / "served/mill", {"own.py": "a = 1\n", "README.md": "# Mill\n\nText.\n"})
    git(tmp_path / "served/mill", "submodule", "--quiet", "add", (tmp_path / "served/part").as_uri(), "inside")
    git(tmp_path / "served/mill", "config", "--file", ".gitmodules", "submodule.inside.url", "../part")
    tip = commit(tmp_path / "served/mill", {})
    crawl = crawler("127.0.0.1")

    items = list(crawl(f"{server.url}/mill", Authorship(NOBODY), Validators()))
    again = list(crawl(f"{server.url}/mill", Authorship(NOBODY), Validators(etag=tip)))

    documents = [item for item in items if isinstance(item, RawCode | RawArticle)]
    assert [item.path for item in documents if isinstance(item, RawCode)] == ["own.py", "inside/part.py"]
    assert {item.author.name for item in documents} == {"mill"}
    assert [item.etag for item in items if isinstance(item, Found)] == [tip]
    assert [item.unchanged for item in again if isinstance(item, Found)] == [True]
    assert part != tip


def test_a_redirect_is_not_followed(server: Server, tmp_path: Path) -> None:
    commit(tmp_path / "served/mill", {"own.py": "a = 1\n"})

    with pytest.raises(FetchRefused, match="301"):
        list(crawler("127.0.0.1")(f"{server.url}/moved", Authorship(NOBODY), Validators()))

    assert {path.split("/")[1].partition("?")[0] for path in server.asked} == {"moved"}


def test_a_certificate_that_nobody_trusts_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path / "served/mill", {"own.py": "a = 1\n"})
    monkeypatch.setattr(git_command, "_SETTINGS", git_command._SETTINGS[:-1])
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")

    with pytest.raises(FetchRefused, match="certificate"):
        list(crawler("127.0.0.1")(f"{server.url}/mill", Authorship(NOBODY), Validators()))


def test_a_repository_that_wants_a_password_is_refused_without_asking_anybody(server: Server) -> None:
    with pytest.raises(FetchRefused, match="could not read Username"):
        list(crawler("127.0.0.1")(f"{server.url}/locked", Authorship(NOBODY), Validators()))
