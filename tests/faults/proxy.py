"""A TCP proxy between two parts of the system, whose link can be slow, cut, broken or refused while it is used."""

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_READ_BYTES = 64 * 1024
_PIECE_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing tells the peer by a reset, as a dead machine's router does."""


@dataclass
class Proxy:
    """Forwards every connection to a port of its own to `target`, both ways. What it is set to holds from then on."""

    target: tuple[str, int]
    latency: float = 0.0
    """Seconds by which every read is late, each way."""
    rate: float | None = None
    """Bytes a second of every connection, each way."""
    _listener: socket.socket | None = None
    _pairs: set["_Pair"] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Listen on a free port of this machine."""
        self.port = 0
        self._up = threading.Event()
        self._up.set()
        self._lock = threading.Lock()
        self.accept()

    def cut(self) -> None:
        """Let nothing through and tell nobody, as a pulled cable; what was sent meanwhile arrives after `mend`."""
        self._up.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self._up.set()

    def reset(self) -> None:
        """Break every connection; new ones are taken."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.reset()

    def refuse(self) -> None:
        """Take no new connection; those that are there stay."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._listener.close()
            self._thread.join()
            self._listener = None

    def accept(self) -> None:
        """Take new connections, on the port of before."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Break everything."""
        self.refuse()
        self.mend()
        self.reset()

    def __enter__(self) -> Self:
        """Return the proxy; leaving closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(self.target)
                except OSError:
                    _break(client)
                    continue
                pair = _Pair(client, server)
                with self._lock:
                    self._pairs.add(pair)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(pair, source, sink), daemon=True).start()

    def _pump(self, pair: "_Pair", source: socket.socket, sink: socket.socket) -> None:
        """Forward until the source has said all."""
        try:
            while data := source.recv(_READ_BYTES):
                self._up.wait()
                pair.broken.wait(self.latency)
                self._send(pair, sink, data)
            self._up.wait()
            if not pair.broken.is_set():  # else a polite end would come before the reset
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pair.reset()

    def _send(self, pair: "_Pair", sink: socket.socket, data: bytes) -> None:
        while data and self.rate is not None:
            piece = max(1, int(self.rate * _PIECE_SECONDS))
            sink.sendall(data[:piece])
            data = data[piece:]
            pair.broken.wait(_PIECE_SECONDS)
        sink.sendall(data)


class _Pair:
    """The two ends of one connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._ends = (client, server)
        self.broken = threading.Event()

    def reset(self) -> None:
        self.broken.set()
        for end in self._ends:
            _break(end)


def _break(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with suppress(OSError):
        end.shutdown(socket.SHUT_RD)  # wakes the thread that reads
    end.close()
