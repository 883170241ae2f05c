"""A service process's own small HTTP server: whether it lives, whether it is ready and why not, its metrics.

Served beside the work in a daemon thread, and through every new start of the services: who asks is always answered.
"""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import Final

from pydantic import BaseModel, Field

from twin_platform.errors import PermanentError
from twin_platform.settings import name_of
from twin_platform.telemetry.health import STATES, Health
from twin_platform.telemetry.logs import Logger
from twin_platform.telemetry.metrics import Exposed

_JSON: Final = "application/json"
_SLOWEST_CLIENT_SECONDS: Final = 10.0
_Page = Callable[[], tuple[HTTPStatus, str, bytes]]


class Listening(BaseModel):
    """Settings of a process that can be asked how it is; mixed into its own."""

    host: str = "127.0.0.1"
    """Address of health and metrics."""
    port: int | None = Field(default=None, ge=0, le=65535)
    """Their port, 0 for any free one; without one nothing is served."""


class PortTaken(PermanentError):
    """Health and metrics cannot be served where they should be."""

    runbook = "A setting is wrong"

    def __init__(self, host: str, port: int, why: str, setting: str) -> None:
        self.host, self.port, self.why, self.setting = host, port, why, setting
        super().__init__(
            f"cannot serve health and metrics on {host} port {port}: {why}; set {setting} to a free port above "
            "1023, or unset it to serve none"
        )


@contextmanager
def serving(health: Health, metrics: Exposed, settings: Listening, logger: Logger) -> Iterator[str]:
    """Serve `/healthz`, `/readyz` and `/metrics` until left; yields the URL, and logs it.

    Raises:
        PortTaken: nothing can listen where the settings say.
    """
    metrics.show(STATES, health.figures)
    host, port = settings.host, settings.port or 0
    try:
        server = _Server(host, port, _pages(health, metrics))
    except OSError as error:
        raise PortTaken(host, port, error.strerror or str(error), name_of(type(settings), "port")) from error
    logger.event("health", url=server.url)
    with server:
        Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield server.url
        finally:
            server.shutdown()


def _pages(health: Health, metrics: Exposed) -> dict[str, _Page]:
    def ready() -> tuple[HTTPStatus, str, bytes]:
        readiness = health.readiness()
        status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON, readiness.model_dump_json().encode()

    return {
        "/healthz": lambda: (HTTPStatus.OK, _JSON, b'{"status":"alive"}'),
        "/readyz": ready,
        "/metrics": lambda: (HTTPStatus.OK, metrics.content_type, metrics.text()),
    }


class _Server(ThreadingTCPServer):
    """A thread per request; none of them keeps the process from ending."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, pages: dict[str, _Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        super().__init__((host, port), _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that has gone; anything else is a bug, and shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as they came

    @property
    def url(self) -> str:
        """Return where it listens."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"


class _Request(BaseHTTPRequestHandler):
    """Answers the pages by GET; anything else is refused."""

    server: _Server
    timeout = _SLOWEST_CLIENT_SECONDS

    def do_GET(self) -> None:
        """Answer with the page."""
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND, explain=f"there are {', '.join(self.server.pages)}")
            return
        status, content_type, body = page()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Return what the server calls itself."""
        return "llm-twin"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: probes come every few seconds."""
