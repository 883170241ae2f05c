"""What was applied just now, told inside this process; `reports.py` carries it to another one."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from twin_contracts.live import DocumentNews

ROOM: Final = 1000
"""News that a listener may leave unread before it loses any."""


class Listener:
    """News that were told since it listens. One thread puts, one takes."""

    def __init__(self) -> None:
        self._unread: deque[DocumentNews] = deque()
        self.lost = False
        """It was too slow: something was not kept, and nothing will be any more."""

    def put(self, news: DocumentNews) -> None:
        """Keep it until it is taken; never blocks who tells it."""
        self.lost = self.lost or len(self._unread) >= ROOM
        if not self.lost:
            self._unread.append(news)

    def take(self) -> list[DocumentNews]:
        """Return what is unread, oldest first."""
        return [self._unread.popleft() for _ in range(len(self._unread))]


class News:
    """Tells every listener, without waiting for any of them."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    @property
    def wanted(self) -> bool:
        """Return whether anybody listens."""
        return bool(self._listeners)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Yield a listener; it hears what is told until the block ends."""
        listener = Listener()
        self._listeners = (*self._listeners, listener)
        try:
            yield listener
        finally:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

    def tell(self, news: Iterable[DocumentNews]) -> None:
        """Tell these, in this order."""
        for item in news:
            for listener in self._listeners:
                listener.put(item)

    def lose(self) -> None:
        """Have every listener know that it has missed something."""
        for listener in self._listeners:
            listener.lost = True
