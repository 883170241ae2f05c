"""Bounded set of events on their way to the log, and the contiguous prefix that has arrived."""

from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import wait

from twin_contracts.queues import Queue
from twin_platform.log.port import Confirmation, Event, EventLog

Message = tuple[Queue, Event]


class Window:
    """Publishes batches and tells up to which mark everything is confirmed.

    At most `size` events are unconfirmed, at most a quarter of them in one queue: what is above waits here, so a full
    queue does not stop the other partitions. Order inside a queue is kept.
    """

    def __init__(self, log: EventLog, size: int) -> None:
        self._log, self._size, self._share = log, size, max(1, size // 4)
        self._batches: deque[tuple[str | None, list[Confirmation]]] = deque()
        self._held: dict[Queue, deque[tuple[Event, Confirmation]]] = {}
        self._flying: dict[Queue, deque[Confirmation]] = {}

    @property
    def room(self) -> int:
        """Return how many more events may be handed over."""
        return max(0, self._size - self._unconfirmed())

    @property
    def empty(self) -> bool:
        """Return whether nothing is under way."""
        return not self._batches

    def publish(self, messages: Iterable[Message], mark: str | None) -> None:
        """Hand over a batch; `mark` is what `confirmed()` returns once it and everything before it has arrived."""
        confirmations: list[Confirmation] = []
        for queue, event in messages:
            confirmation = Confirmation()
            confirmations.append(confirmation)
            self._held.setdefault(queue, deque()).append((event, confirmation))
        self._batches.append((mark, confirmations))
        self._pump()

    def confirmed(self) -> str | None:
        """Return the mark of the last batch of the confirmed prefix, None where there is no new one.

        Raises:
            LogUnavailable: a confirmation failed; everything after the last mark must be read and published again.
        """
        self._pump()
        last: str | None = None
        while self._batches and all(confirmation.done() for confirmation in self._batches[0][1]):
            mark, confirmations = self._batches.popleft()
            for confirmation in confirmations:
                confirmation.result()
            last = mark or last
        return last

    def drained(self, seconds: float) -> str | None:
        """Wait up to `seconds` for what is under way and return as `confirmed` does."""
        wait([confirmation for _, confirmations in self._batches for confirmation in confirmations], timeout=seconds)
        return self.confirmed()

    def _pump(self) -> None:
        for queue, held in list(self._held.items()):
            flying = self._flying.setdefault(queue, deque())
            while flying and flying[0].done():
                flying.popleft()
            while held and len(flying) < self._share:
                event, confirmation = held.popleft()
                flying.append(confirmation)
                _forward(self._log.publish(queue, event), confirmation)
            if not held:
                del self._held[queue]

    def _unconfirmed(self) -> int:
        waiting = Counter(done.done() for _, confirmations in self._batches for done in confirmations)
        return waiting[False]


def _forward(arrived: Confirmation, confirmation: Confirmation) -> None:
    """Resolve `confirmation` as `arrived` resolves; the log's own thread does it."""

    def resolve(done: Confirmation) -> None:
        error = done.exception()
        if error is None:
            confirmation.set_result(None)
        else:
            confirmation.set_exception(error)

    arrived.add_done_callback(resolve)
