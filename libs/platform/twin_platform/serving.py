"""An ASGI application as a service: served on a socket that listens already, until stopped."""

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from typing import Final

import uvicorn

from twin_platform.errors import PermanentError

_BACKLOG: Final = 128
_GRACE_SECONDS: Final = 3
"""What responses that are under way are given at a stop."""


class CannotListen(PermanentError):
    """Something else listens there, or it is no address of this machine, or not this user's to take."""

    runbook = "A setting is wrong"

    def __init__(self, host: str, port: int, error: OSError) -> None:
        self.host, self.port = host, port
        self.why = error.strerror or str(error)
        self.is_taken = error.errno == errno.EADDRINUSE
        do = "end what listens there, or choose another port" if self.is_taken else "choose one of this machine's"
        super().__init__(f"cannot listen on {host} port {port}: {self.why}; {do}")


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that takes connections from now on; they wait until something is served there.

    Raises:
        CannotListen: at once, before anything slow was started.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off for such sockets only: a response's body
    # would wait 40 ms for the client to acknowledge its head.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
            bound.listen(_BACKLOG)
        except OSError as error:
            raise CannotListen(host, port, error) from error
        yield bound


class HttpService:
    """Serves one application; what is under way when it is stopped has three seconds to end."""

    def __init__(
        self,
        app: Callable[..., object],
        bound: socket.socket,
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare to serve.

        Args:
            app: an ASGI application; its own resources are opened and closed by who made it.
            bound: see `listening`.
            stopping: called first at a stop: ends what would go on for ever.
        """
        self._stopping, self._bound = stopping, bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE_SECONDS
            )
        )

    @property
    def started(self) -> bool:
        """Return whether requests are answered."""
        return bool(self._server.started)

    def run(self, stop: Flag) -> None:
        """Serve until `stop` is set."""
        threading.Thread(target=self._end_at, args=(stop,), name="http-stop", daemon=True).start()
        self._server.run([self._bound])

    def _end_at(self, stop: Flag) -> None:
        stop.wait()
        self._stopping()
        self._server.should_exit = True
