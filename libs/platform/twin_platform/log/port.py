"""Port: the durable, partitioned log of change events between cdc and the flow."""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from twin_contracts.events import DocumentChanged, DocumentDeleted, DocumentInvalid, EventHeaders, Purge
from twin_contracts.queues import Queue

Event = DocumentChanged | DocumentDeleted | DocumentInvalid | Purge
Confirmation = Future[None]
"""Resolves once the event would survive a crash of the log."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Place of a delivery in its queue; ordered inside one generation of one consumer's connection."""

    generation: int
    tag: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as the log handed it out. The body is decoded by the flow, which survives a bad one."""

    queue: Queue
    position: Position
    headers: EventHeaders
    body: bytes

    @property
    def cost(self) -> int:
        """Bytes of work: of the document itself where the body is only a claim to it."""
        return max(len(self.body), self.headers.size)


class Consumer(Protocol):
    """The one reader of some queues. What was not acknowledged comes back first and in order after a reconnect."""

    def peek_cost(self, queue: Queue) -> int | None:
        """Return the cost in bytes of the next event of `queue`, or None where none waits. Does not block."""

    def take(self, queue: Queue, limit: int, budget: int) -> list[Delivery]:
        """Return up to `limit` next events whose costs sum to at most `budget` bytes. Does not block.

        Hands out nothing where already the first is above `budget`.

        Raises:
            LogUnavailable: transient.
        """

    def prefetched(self) -> int:
        """Return how many events it has read ahead and not handed out. Asks nobody; any thread may call it."""

    def acknowledge(self, queue: Queue, position: Position) -> None:
        """Release everything of this queue up to and including `position`. Idempotent; an older one is ignored.

        A position of an earlier generation is ignored, too: what it names will be handed out again.
        """

    def close(self) -> None:
        """Give back what was handed out and not acknowledged. Idempotent."""


class EventLog(Protocol):
    """Durable log of change events in queues, one per partition and lane. Order holds inside a queue only."""

    @property
    def partitions(self) -> int:
        """Number of partitions, fixed at installation."""

    def missing(self) -> tuple[Queue, ...]:
        """Return queues that do not exist, new or lost; after declaring them cdc owes a re-emission."""

    def declare(self) -> None:
        """Create the queues that do not exist. Idempotent. Only cdc calls it."""

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        """Hand over one event; the confirmation resolves once it would survive a crash of the log.

        Does not block: the caller bounds its window of unconfirmed events. A confirmation that fails with
        `LogUnavailable` says nothing: the event may have arrived. A full refill queue confirms late.
        """

    def consume(self, queues: Sequence[Queue]) -> Consumer:
        """Become the reader of `queues`.

        Raises:
            QueueMissing: a queue is not declared yet; transient, cdc declares it.
        """

    def waiting(self) -> int:
        """Return how many events wait, over all queues.

        SQLite counts what is not acknowledged. A broker counts what it has ready: what a consumer has read ahead is not
        in it before that has closed.

        Raises:
            LogUnavailable: transient.
        """

    def compact(self) -> bool:
        """Give back a step of disk space that is no longer used; False where nothing is left to give. Housekeeping."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a right that one process at a time has; it ends with the process, however that dies.

        Raises:
            RightTaken: transient, on entering: somebody else holds it.
        """

    def close(self) -> None:
        """Release the log; unresolved confirmations fail with `LogUnavailable`. Idempotent."""

    def __enter__(self) -> Self:
        """Return the log; leaving closes it."""

    def __exit__(self, *exception: object) -> None:
        """Close the log."""
