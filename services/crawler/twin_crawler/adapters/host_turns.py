"""One request per host at a time, and the pause that a host wants after each."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from twin_platform.telemetry.clock import Clock


@dataclass
class Turn:
    """A host's one place: who holds it may ask the host."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    pause: float = 0.0
    """Seconds to leave the host alone after this turn; set by who holds it."""
    ready_at: float = 0.0
    users: int = 0


class HostTurns:
    """Hands out turns, host by host; remembers a host no longer than somebody waits for it or it wants to rest."""

    def __init__(self, clock: Clock, wait: Callable[[float], None]) -> None:
        self._clock = clock
        self._wait = wait
        self._turns: dict[str, Turn] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str) -> Iterator[Turn]:
        """Hold `host`'s turn; blocks until its last holder is done and its pause is over."""
        with self._lock:
            turn = self._turns.setdefault(host, Turn())
            turn.users += 1
        try:
            with turn.lock:
                if (pause := turn.ready_at - self._clock.monotonic()) > 0:
                    self._wait(pause)
                try:
                    yield turn
                finally:
                    turn.ready_at = self._clock.monotonic() + turn.pause
        finally:
            with self._lock:
                turn.users -= 1
                now = self._clock.monotonic()
                self._turns = {
                    name: other for name, other in self._turns.items() if other.users or other.ready_at > now
                }
