"""An event log in memory; passes the port's conformance suite."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from threading import RLock
from typing import Self

from twin_contracts.events import EventHeaders
from twin_contracts.queues import DEFAULT_PARTITIONS, Lane, Queue, queues_of
from twin_platform.log.codec import decode, encode
from twin_platform.log.errors import LogUnavailable, QueueMissing, RightTaken
from twin_platform.log.port import Confirmation, Delivery, Event, Position


@dataclass(frozen=True)
class _Held:
    tag: int
    headers: EventHeaders
    body: bytes
    confirmation: Confirmation


@dataclass
class _Queue:
    stored: deque[_Held] = field(default_factory=deque)
    """Confirmed and not acknowledged."""
    late: deque[_Held] = field(default_factory=deque)
    """Not confirmed before there is room."""
    bytes: int = 0
    generation: int = 0

    def store(self, held: _Held) -> None:
        self.stored.append(held)
        self.bytes += len(held.body)

    def release(self, tag: int) -> None:
        while self.stored and self.stored[0].tag <= tag:
            self.bytes -= len(self.stored.popleft().body)


class InMemoryEventLog:
    """Confirms at once, but for a full refill queue, and for every publish while `broken` is True."""

    def __init__(self, partitions: int = DEFAULT_PARTITIONS, refill_limit_bytes: int = 64 * 1024 * 1024) -> None:
        self.partitions = partitions
        self.broken = False
        self._refill_limit_bytes = refill_limit_bytes
        self._queues: dict[Queue, _Queue] = {}
        self._tags = count(1)
        self._generations = count(1)
        self._rights: set[str] = set()
        self._closed = False
        self._lock = RLock()

    def events(self, queue: Queue) -> list[Event]:
        """What is confirmed and not acknowledged, decoded."""
        with self._lock:
            return [decode(held.body) for held in self._queues[queue].stored]

    def put_raw(self, queue: Queue, headers: EventHeaders, body: bytes) -> None:
        """Store a body as some other program may have sent it."""
        with self._lock:
            self._queues[queue].store(_Held(next(self._tags), headers, body, Future()))

    def lose(self, queue: Queue) -> None:
        """Delete a queue and what it holds, as an operator could."""
        with self._lock:
            del self._queues[queue]

    def missing(self) -> tuple[Queue, ...]:
        return tuple(queue for queue in queues_of(self.partitions) if queue not in self._queues)

    def declare(self) -> None:
        with self._lock:
            for queue in self.missing():
                self._queues[queue] = _Queue()

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        headers, body = encode(event)
        confirmation: Confirmation = Future()
        with self._lock:
            held = _Held(next(self._tags), headers, body, confirmation)
            if self._closed or self.broken:
                confirmation.set_exception(LogUnavailable("the log in memory is closed or broken"))
            elif queue not in self._queues:
                confirmation.set_exception(QueueMissing(queue))
            else:
                self._queues[queue].late.append(held)
                self._admit(queue)
        return confirmation

    def consume(self, queues: Sequence[Queue]) -> "InMemoryConsumer":
        with self._lock:
            for queue in queues:
                if queue not in self._queues:
                    raise QueueMissing(queue)
            generation = next(self._generations)
            for queue in queues:
                self._queues[queue].generation = generation
            return InMemoryConsumer(self, generation)

    def waiting(self) -> int:
        with self._lock:
            return sum(len(queue.stored) for queue in self._queues.values())

    def compact(self) -> bool:
        return False

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        with self._lock:
            if name in self._rights:
                raise RightTaken(name)
            self._rights.add(name)
        try:
            yield
        finally:
            self._rights.discard(name)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                while queue.late:
                    queue.late.popleft().confirmation.set_exception(LogUnavailable("the log in memory was closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _after(self, queue: Queue, generation: int, tag: int, limit: int) -> list[Delivery]:
        with self._lock:
            state = self._queues.get(queue)
            if state is None or state.generation != generation:
                return []
            unseen = islice((held for held in state.stored if held.tag > tag), limit)
            return [Delivery(queue, Position(generation, held.tag), held.headers, held.body) for held in unseen]

    def _acknowledge(self, queue: Queue, position: Position) -> None:
        with self._lock:
            state = self._queues.get(queue)
            if state is None or state.generation != position.generation:
                return
            state.release(position.tag)
            self._admit(queue)

    def _admit(self, queue: Queue) -> None:
        state = self._queues[queue]
        while state.late and not (queue.lane is Lane.REFILL and state.bytes >= self._refill_limit_bytes):
            held = state.late.popleft()
            state.store(held)
            held.confirmation.set_result(None)


class InMemoryConsumer:
    """Reads an `InMemoryEventLog`."""

    def __init__(self, log: InMemoryEventLog, generation: int) -> None:
        self._log = log
        self._generation = generation
        self._last: dict[Queue, int] = {}
        self._closed = False

    def peek_cost(self, queue: Queue) -> int | None:
        waiting = self._waiting(queue, 1)
        return waiting[0].cost if waiting else None

    def take(self, queue: Queue, limit: int, budget: int) -> list[Delivery]:
        taken = list[Delivery]()
        for delivery in self._waiting(queue, limit):
            budget -= delivery.cost
            if budget < 0:
                break
            taken.append(delivery)
            self._last[queue] = delivery.position.tag
        return taken

    def prefetched(self) -> int:
        return 0

    def acknowledge(self, queue: Queue, position: Position) -> None:
        if not self._closed:
            self._log._acknowledge(queue, position)

    def close(self) -> None:
        self._closed = True

    def _waiting(self, queue: Queue, limit: int) -> list[Delivery]:
        if self._closed:
            return []
        return self._log._after(queue, self._generation, self._last.get(queue, 0), limit)
