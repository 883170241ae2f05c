"""A loopback server that speaks as much of OpenAI's API as a language model behind it would, on a script.

For tests, for `make bench-api` and for anybody who wants to see the system with a model and has none:
`python -m fakes.openai_server` in `tests/` prints its address and serves until it is interrupted.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from typing import TypedDict


class Message(TypedDict):
    role: str
    content: str


class Body(TypedDict, total=False):
    """What a request may hold, as far as the stub or a test reads it."""

    model: str
    messages: list[Message]
    stream: bool
    temperature: float
    stop: list[str]
    max_tokens: int
    response_format: dict[str, str]


@dataclass(frozen=True)
class Script:
    """How one call goes. The default says its words at once and ends as it should."""

    words: tuple[str, ...] = ("Cats", " purr", " at", " 25", " hertz", " [1].")
    reasoning: tuple[str, ...] = ()
    status: int = 200
    raw: bytes | None = None
    """Sent instead of any event."""
    pauses: tuple[int, ...] = ()
    """Before these words the server waits for `Stub.go_on`."""
    dies_before: int | None = None
    """The connection is cut before this word; a number above all words cuts it instead of the end."""
    finish_reason: str = "stop"
    with_usage: bool = True
    comments: int = 0
    """Comment lines sent before anything else."""


@dataclass
class Stub:
    """`script` chooses how a call goes; what arrives is kept."""

    url: str = ""
    models: tuple[str, ...] = ("stub",)
    script: Callable[[Body], Script] = lambda _: Script()
    bodies: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Set once a caller has closed its connection while the stub waited."""


@contextmanager
def openai_server(stub: Stub | None = None, port: int = 0) -> Iterator[Stub]:
    """Serve until the block ends; `stub.url` is what `LLM_URL` takes."""
    served = stub or Stub()

    class Handler(_Handler):
        script = served

    with _Server(("127.0.0.1", port), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.go_on.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers that leave are part of the script."""


class _Handler(BaseHTTPRequestHandler):
    script: Stub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.script.models]}
        self._answer(200, json.dumps(listed).encode(), "application/json")

    def do_POST(self) -> None:
        body: Body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.script.bodies.append(body)
        self.script.keys.append(self.headers["Authorization"])
        script = self.script.script(body)
        if script.raw is not None or script.status != 200:
            self._answer(script.status, script.raw or b'{"error": {"message": "scripted"}}', "application/json")
            return
        self._begin(200, "text/event-stream")
        self._stream(script)

    def _stream(self, script: Script) -> None:
        for _ in range(script.comments):
            self._send(b": loading\n\n")
        self._event({"delta": {"role": "assistant", "content": ""}})
        for thought in script.reasoning:
            self._event({"delta": {"reasoning_content": thought}})
        for number, word in enumerate(script.words):
            if number in script.pauses and self._caller_leaves():
                return
            if number == script.dies_before:
                self._die()
                return
            self._event({"delta": {"content": word}})
        if script.dies_before is not None:
            self._die()
            return
        self._event({"delta": {}, "finish_reason": script.finish_reason})
        if script.with_usage:
            usage = {"prompt_tokens": 11, "completion_tokens": len(script.words), "total_tokens": 0}
            self._send(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode())
        self._send(b"data: [DONE]\n\n")
        self._send(b"")

    def _caller_leaves(self) -> bool:
        """Wait until the test lets it go on, or the caller has closed its connection."""
        self.connection.settimeout(0.01)
        while not self.script.go_on.is_set():
            try:
                if not self.connection.recv(1):
                    self.script.left.set()
                    return True
            except TimeoutError:
                continue
            except OSError:
                self.script.left.set()
                return True
        self.connection.settimeout(None)
        return False

    def _die(self) -> None:
        self.connection.shutdown(SHUT_RDWR)
        self.close_connection = True

    def _event(self, choice: dict[str, object]) -> None:
        event = {"id": "stub", "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
        self._send(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

    def _begin(self, status: int, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _send(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _answer(self, status: int, data: bytes, media_type: str) -> None:
        self._begin(status, media_type)
        self._send(data)
        if data:
            self._send(b"")


def main() -> int:
    thirty_words = Script(words=Script().words * 5)
    with openai_server(Stub(script=lambda _: thirty_words), int(sys.argv[1]) if len(sys.argv) > 1 else 0) as stub:
        sys.stdout.write(f"{stub.url}\n")
        sys.stdout.flush()
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
