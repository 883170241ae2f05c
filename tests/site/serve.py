"""A small web site for test crawls: `python tests/site/serve.py --port 8000`. It needs Python and git alone.

Pages and a feed lie in `www`; `repository` is made into a Git repository at start, below the temporary folder, and
served at `/tides.git`. Nothing is written elsewhere. The same files give the same commit, so that a crawl of a site
that was started anew finds nothing changed. `questions.tsv` says what each kind of crawl can answer.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import NoReturn

HERE = Path(__file__).resolve().parent
REPOSITORY = "/tides.git"
SERVICE = "git-upload-pack"
_NAME, _ADDRESS, _MOMENT = "Wendmouth Harbour", "harbour@example.org", "2026-01-05T08:00:00+0000"
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": _NAME,
    "GIT_AUTHOR_EMAIL": _ADDRESS,
    "GIT_AUTHOR_DATE": _MOMENT,
    "GIT_COMMITTER_NAME": _NAME,
    "GIT_COMMITTER_EMAIL": _ADDRESS,
    "GIT_COMMITTER_DATE": _MOMENT,
}


class Handler(SimpleHTTPRequestHandler):
    """Files as they are, and a repository as git's smart HTTP protocol wants it: read-only, git does the work."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, repository: Path) -> None:
        self._repository = repository
        super().__init__(*arguments, directory=str(HERE / "www"))  # type: ignore[arg-type]  # the server's own three

    def do_GET(self) -> None:
        """Answer with a file, with the repository's references, or that somebody is there."""
        if self.path == "/healthz":
            self._answer(b"alive\n", "text/plain")
        elif self.path == f"{REPOSITORY}/info/refs?service={SERVICE}":
            announced = f"# service={SERVICE}\n"
            head = f"{len(announced) + 4:04x}{announced}0000".encode()
            self._answer(head + self._git("--advertise-refs"), f"application/x-{SERVICE}-advertisement")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        """Answer a fetch."""
        if self.path != f"{REPOSITORY}/{SERVICE}":
            self.send_error(405)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = zlib.decompress(body, wbits=31)
        self._answer(self._git(given=body), f"application/x-{SERVICE}-result")

    def _git(self, *options: str, given: bytes = b"") -> bytes:
        command = ["git", "upload-pack", "--stateless-rpc", *options, str(self._repository)]
        environment = _ENVIRONMENT | {"GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        return subprocess.run(command, env=environment, input=given, stdout=subprocess.PIPE, check=True).stdout

    def _answer(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def repository() -> Iterator[Path]:
    """Yield a Git repository whose one commit is the folder `repository`."""
    with tempfile.TemporaryDirectory(prefix="twin-site-") as folder:
        made = Path(folder, "tides.git")
        git = ["git", f"--git-dir={made}", f"--work-tree={HERE / 'repository'}"]
        for words in (
            ["-c", "init.defaultBranch=main", "init", "--quiet"],
            ["add", "--all", "--force"],
            ["commit", "--quiet", "--message", "Predict the tides"],
        ):
            subprocess.run([*git, *words], env=_ENVIRONMENT, cwd=HERE / "repository", check=True)
        yield made


def main() -> None:
    """Serve until a signal; the address is the first line of the output."""
    parser = argparse.ArgumentParser(description="A small web site for test crawls.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    with (
        repository() as made,
        ThreadingHTTPServer((given.host, given.port), partial(Handler, repository=made)) as server,
    ):
        sys.stdout.write(f"http://{given.host}:{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit


if __name__ == "__main__":
    main()
