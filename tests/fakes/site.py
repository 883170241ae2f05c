"""A web site on a free port of this machine; what it answers is scripted, path by path."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """One request that the site saw."""

    path: str
    """With the query."""
    headers: Mapping[str, str]
    """Names in lower case."""


@dataclass(frozen=True)
class Answer:
    """What one request gets."""

    body: bytes | Callable[[], Iterator[bytes]] = b""
    """Pieces that come from a function are sent as they come, without a length, to the end of the connection."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent as it is in place of everything, status line included."""


class Site:
    """Answers 404 where nothing is scripted, `/robots.txt` included; remembers every request.

    `allow` is what CRAWLER_ALLOW_HOSTS needs to let a crawler in.
    """

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.asked: list[Asked] = []
        self.allow = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.allow}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, *answers: Answer) -> str:
        """Answer `path` with these one after the other, the last one for ever; returns the page's URL."""
        self._answers[path] = list(answers)
        return self.url + path

    def page(self, path: str, body: str | bytes, media_type: str = HTML, **headers: str) -> str:
        """Answer `path` with a page; `etag` and `last_modified` make it conditional."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body
        return self.answer(path, Answer(content, headers={"Content-Type": media_type, **named}))

    def robots(self, text: str) -> None:
        """Put a robots.txt."""
        self.page("/robots.txt", text, "text/plain")

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        """Send `path` on to another place."""
        return self.answer(path, Answer(status=status, headers={"Location": to}))

    def bomb(self, path: str, megabytes: int) -> str:
        """Answer `path` with few bytes that decompress into many."""
        body = gzip.compress(b"<p>" + bytes(megabytes * 1024 * 1024))
        return self.answer(path, Answer(body, headers={"Content-Type": HTML, "Content-Encoding": "gzip"}))

    def endless(self, path: str, piece: bytes = b"<p>more and more of it</p>" * 500) -> str:
        """Answer `path` with a page that never ends."""

        def pieces() -> Iterator[bytes]:
            while not self.closing.is_set():
                yield piece

        return self.answer(path, Answer(pieces, headers={"Content-Type": HTML}))

    def drip(self, path: str, every: float = 0.02) -> str:
        """Answer `path` with a page that comes letter by letter, for ever."""

        def pieces() -> Iterator[bytes]:
            while not self.closing.wait(every):
                yield b"x"

        return self.answer(path, Answer(pieces, headers={"Content-Type": HTML}))

    def paths(self) -> list[str]:
        """Return what was asked for, in order, without robots.txt."""
        return [asked.path for asked in self.asked if asked.path != "/robots.txt"]

    def _next(self, request: Asked) -> Answer:
        with self._lock:
            self.asked.append(request)
            scripted = self._answers.get(request.path, [Answer(b"no such page", 404)])
            answer = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        etag, changed = answer.headers.get("Etag"), answer.headers.get("Last-Modified")
        if etag and request.headers.get("if-none-match") == etag:
            return Answer(status=304, headers={"Etag": etag})
        if changed and not etag and request.headers.get("if-modified-since") == changed:
            return Answer(status=304)
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(ConnectionError):  # whom the page is too long hangs up
                    self._send(site._next(Asked(self.path, {k.lower(): v for k, v in self.headers.items()})))

            def _send(self, answer: Answer) -> None:
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if isinstance(answer.body, bytes) and answer.status != 304:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                for piece in [answer.body] if isinstance(answer.body, bytes) else answer.body():
                    self.wfile.write(piece)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler
