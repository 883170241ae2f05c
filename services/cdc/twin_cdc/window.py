"""Bounded set of events on their way to the log, and the contiguous prefix that has arrived."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from twin_contracts.queues import Queue
from twin_platform.log.port import Confirmation, Event, EventLog

Message = tuple[Queue, Event]


@dataclass(slots=True)
class _Batch:
    mark: str | None
    unconfirmed: int


_Arrival = tuple[Queue, _Batch, Event, BaseException | None]


def _uncounted(queue: Queue, event: Event) -> None:
    """Do nothing with what is confirmed."""


class Window:
    """Publishes batches and tells up to which mark everything is confirmed. For one thread.

    At most `size` events are unconfirmed, at most a quarter of them in one queue: what is above waits here, so a full
    queue does not stop the other partitions. Order inside a queue is kept.
    """

    def __init__(self, log: EventLog, size: int, confirmed: Callable[[Queue, Event], None] = _uncounted) -> None:
        """Make an empty one.

        Args:
            confirmed: told of each event that has arrived, in the window's thread.
        """
        self._log, self._size, self._share = log, size, max(1, size // 4)
        self._tell = confirmed
        self._batches: deque[_Batch] = deque()
        self._held: dict[Queue, deque[tuple[Event, _Batch]]] = {}
        self._flying: Counter[Queue] = Counter()
        self._unconfirmed = 0
        self._arrivals: SimpleQueue[_Arrival] = SimpleQueue()
        self._failure: BaseException | None = None

    @property
    def room(self) -> int:
        """Return how many more events may be handed over."""
        return max(0, self._size - self._unconfirmed)

    @property
    def unconfirmed(self) -> int:
        """Return how many events are under way; any thread may ask."""
        return self._unconfirmed

    @property
    def empty(self) -> bool:
        """Return whether nothing is under way."""
        return not self._batches

    def publish(self, messages: Iterable[Message], mark: str | None) -> None:
        """Hand over a batch; `mark` is what `confirmed()` returns once it and everything before it has arrived."""
        batch = _Batch(mark, 0)
        for queue, event in messages:
            self._held.setdefault(queue, deque()).append((event, batch))
            batch.unconfirmed += 1
        if batch.unconfirmed or not self._batches:
            self._batches.append(batch)
        else:  # an empty batch says how far the one before it reaches; a prefix that waits for hours collects none
            self._batches[-1].mark = mark or self._batches[-1].mark
        self._unconfirmed += batch.unconfirmed
        self._send()

    def confirmed(self) -> str | None:
        """Return the mark of the last batch of the confirmed prefix, None where there is no new one.

        Raises:
            LogUnavailable, QueueMissing: a confirmation failed; everything after the last mark must be read and
                published again.
        """
        while not self._arrivals.empty():
            self._count(self._arrivals.get())
        last: str | None = None
        while self._batches and not self._batches[0].unconfirmed:
            last = self._batches.popleft().mark or last
        if self._failure is None:
            self._send()
        elif last is None:
            raise self._failure
        return last

    def drained(self, seconds: float) -> str | None:
        """Wait up to `seconds` for what is under way and return as `confirmed` does."""
        deadline = time.monotonic() + seconds
        last = self.confirmed()
        while not self.empty and (left := deadline - time.monotonic()) > 0:
            try:
                self._count(self._arrivals.get(timeout=left))
            except Empty:
                break
            last = self.confirmed() or last
        return last

    def _send(self) -> None:
        for queue, held in list(self._held.items()):
            while held and self._flying[queue] < self._share:
                event, batch = held.popleft()
                self._flying[queue] += 1
                self._notice(queue, batch, event, self._log.publish(queue, event))
            if not held:
                del self._held[queue]

    def _notice(self, queue: Queue, batch: _Batch, event: Event, confirmation: Confirmation) -> None:
        """Have the log's own thread tell of the arrival."""
        arrivals = self._arrivals
        confirmation.add_done_callback(lambda done: arrivals.put((queue, batch, event, done.exception())))

    def _count(self, arrival: _Arrival) -> None:
        queue, batch, event, error = arrival
        self._failure = self._failure or error
        if error is None:
            self._tell(queue, event)
            batch.unconfirmed -= 1
            self._flying[queue] -= 1
            self._unconfirmed -= 1
