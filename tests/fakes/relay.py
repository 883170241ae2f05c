"""A relay over in-memory stores: run in the test's own thread until something holds, killed at any call on the way."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Event as Flag
from typing import TypeVar, cast

from fakes.clock import SettableClock
from fakes.documents import Contents, InMemoryChangeFeed, InMemoryDocumentStore, Kept
from fakes.flow import post
from fakes.log import InMemoryEventLog
from fakes.metrics import RecordingMetrics
from fakes.records import InMemoryRecordStore
from twin_cdc.relay import Relay, RelayOptions
from twin_contracts.base import Digest, DocumentId
from twin_contracts.events import ZERO, Cause, DocumentChanged, DocumentDeleted, DocumentEvent, Purge, Version
from twin_contracts.queues import Lane, Queue, partition_of, queues_of
from twin_contracts.reemission import Reemission
from twin_platform.documents.port import Change, DocumentStore
from twin_platform.log.errors import LogUnavailable
from twin_platform.log.port import Confirmation, Event, EventLog
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import POSITIONS, SOURCE, FeedPosition, is_captured
from twin_platform.records.reemissions import ask_reemission, open_reemissions

R = TypeVar("R")
SECOND = timedelta(seconds=1)
NO_TIME = timedelta()


class UntilFlag(Flag):
    """A stop flag that sets itself once `holds`. Each look lets time pass; what waits for it waits for nothing."""

    def __init__(self, holds: Callable[[], bool], clock: SettableClock, step: timedelta = SECOND) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self._holds, self._clock, self._step = holds, clock, step
        self._looks = 0

    def is_set(self) -> bool:
        self._looks += 1
        assert self._looks < 3000, "what was waited for did not happen"
        self._clock.turn(self._step)
        if self._holds():
            self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return super().is_set()


class ImpatientFeed(InMemoryChangeFeed):
    """Does not block; `waits` tells how long it was asked to."""

    waits: list[float]

    def read(self, limit: int, wait: float) -> list[Change]:
        self.waits.append(wait)
        return super().read(limit, 0)


class ImpatientDocumentStore(InMemoryDocumentStore):
    """A document store whose feeds do not block."""

    def __init__(self, clock: SettableClock, contents: Contents | None = None) -> None:
        super().__init__(clock, contents)
        self.waits: list[float] = []

    def changes(self, position: str | None) -> ImpatientFeed:
        opened = super().changes(position)
        feed = ImpatientFeed(self, opened._after)
        feed.waits = self.waits
        return feed


class LateLog(InMemoryEventLog):
    """Stores and confirms when the test says so; what it did not confirm is lost with the process that published."""

    def __init__(self, partitions: int = 8) -> None:
        super().__init__(partitions)
        self.late: list[tuple[Queue, Event, Confirmation]] = []

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        confirmation: Confirmation = Future()
        self.late.append((queue, event, confirmation))
        return confirmation

    def confirm(self, limit: int = 10**9, wanted: Callable[[Queue], bool] = lambda _: True) -> None:
        """Confirm up to `limit` of what is late in the wanted queues, oldest first."""
        for item in [item for item in self.late if wanted(item[0])][:limit]:
            self.late.remove(item)
            queue, event, confirmation = item
            super().publish(queue, event).add_done_callback(partial(_settle, confirmation))

    def refuse(self) -> None:
        """Fail all that is late."""
        while self.late:
            self.late.pop()[2].set_exception(LogUnavailable("the log refused"))


def _settle(late: Confirmation, done: Confirmation) -> None:
    error = done.exception()
    late.set_exception(error) if error else late.set_result(None)


class Killed(Exception):
    """The process is dead: none of its calls has an effect any more."""


@dataclass
class Life:
    """Of one process that dies at its `last` call, before that takes effect.

    `meanwhile` says what others do just before a call of this number.
    """

    last: int = 10**9
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    calls: int = 0

    def spend(self, call: Callable[[], R]) -> R:
        self.calls += 1
        self.meanwhile.pop(self.calls, lambda: None)()
        if self.calls >= self.last:
            raise Killed
        return call()


class Mortal:
    """Passes calls on to a store for as long as the process lives."""

    def __init__(self, store: object, life: Life) -> None:
        self._store, self._life = store, life

    def __getattr__(self, name: str) -> object:
        attribute = getattr(self._store, name)
        if name in {"partitions", "close"}:
            return attribute

        def call(*arguments: object, **options: object) -> object:
            result = self._life.spend(lambda: attribute(*arguments, **options))
            return Mortal(result, self._life) if name == "changes" else result

        return call


@dataclass
class RecordingLogger:
    """Keeps the facts it is told."""

    facts: list[dict[str, str | float | None]] = field(default_factory=list)

    def event(self, name: str, **fields: str | float | None) -> None:
        self.facts.append({"event": name, **fields})


@dataclass
class World:
    """The stores around one relay, and what a consumer of the log would end with."""

    log: InMemoryEventLog = field(default_factory=lambda: InMemoryEventLog(partitions=2))
    options: RelayOptions = field(default_factory=lambda: RelayOptions(drain_seconds=0.0))
    documents_type: type["ImpatientDocumentStore"] = ImpatientDocumentStore

    def __post_init__(self) -> None:
        self.clock = SettableClock()
        self.documents = self.documents_type(self.clock)
        self.records = InMemoryRecordStore()
        self.logger = RecordingLogger()
        self.metrics = RecordingMetrics()
        self.waits: list[float | None] = []

    def relay(self, life: Life | None = None) -> Relay:
        life = life or Life()
        return Relay(
            cast("DocumentStore", Mortal(self.documents, life)),
            cast("EventLog", Mortal(self.log, life)),
            cast("RecordStore", Mortal(self.records, life)),
            self.clock,
            self.logger,
            self.options,
            metrics=self.metrics,
        )

    def run(self, until: Callable[[], bool] | None = None, life: Life | None = None, step: timedelta = SECOND) -> Relay:
        """Run a new relay until something holds, by default until the system is quiet; `step` passes at each turn."""
        relay = self.relay(life)
        stop = UntilFlag(until or self.quiet, self.clock, step)
        self.waits = stop.waits
        relay.run(stop)
        return relay

    def write(self, *names: str, text: str = "a text") -> None:
        for name in names:
            self.documents.upsert(post(name, text))

    def delete(self, *names: str) -> None:
        for name in names:
            self.documents.delete(post(name, "").id)

    def spoil(self, stored_id: str) -> None:
        """Store something that is no document, as some other program could."""
        now = self.clock.now()
        with self.documents.changed:
            self.documents.contents.rows[stored_id] = Kept(self.documents._allocate(now), now, "", b"{}")

    def position(self) -> FeedPosition:
        stored = self.records.get(POSITIONS, SOURCE)
        assert stored is not None
        return stored.record

    def quiet(self) -> bool:
        captured = is_captured(self.documents, self.records)
        return captured and not open_reemissions(self.records) and not self.log.missing()

    def ask(self, *ids: DocumentId, cause: Cause = Cause.REFILL) -> Reemission:
        self.clock.turn(SECOND)  # two requests are told apart by their moment
        return ask_reemission(self.records, self.clock, "a test asks", ids or None, cause)

    def consume(self) -> None:
        """Forget what was published."""
        for queue in queues_of(self.log.partitions):
            self.log._queues[queue].stored.clear()

    def events(self, lane: Lane) -> list[DocumentEvent]:
        """What was published of documents in one lane, each partition in its order."""
        return [event for event in self._all(lane) if not isinstance(event, Purge)]

    def purges(self) -> list[Purge]:
        return [event for event in self._all(Lane.REFILL) if isinstance(event, Purge)]

    def published(self) -> dict[DocumentId, Digest]:
        """What a consumer ends with."""
        queues = [queue for queue in queues_of(self.log.partitions) if queue not in self.log.missing()]
        events = [(queue, event) for queue in queues for event in self.log.events(queue)]
        return outcome(events, self.log.partitions)

    def stored(self) -> dict[DocumentId, Digest]:
        """What the document store holds."""
        return dict(self.documents.hashes(None, 1000))

    def _all(self, lane: Lane) -> list[Event]:
        queues = [Queue(partition, lane) for partition in range(self.log.partitions)]
        return [event for queue in queues if queue not in self.log.missing() for event in self.log.events(queue)]


def settled(world: World) -> World:
    """Run until quiet, a late log confirming everything so far, and forget what was published."""

    def quiet() -> bool:
        if isinstance(world.log, LateLog):
            world.log.confirm()
        return world.quiet()

    world.run(quiet)
    world.consume()
    return world


def outcome(events: list[tuple[Queue, Event]], partitions: int) -> dict[DocumentId, Digest]:
    """The content hash of each document whose newest event is no deletion and older than no purge of its partition."""
    newest: dict[DocumentId, DocumentEvent] = {}
    purged: dict[int, Version] = {}
    for queue, event in events:
        if isinstance(event, Purge):
            purged[queue.partition] = max(purged.get(queue.partition, ZERO), event.before)
        elif event.document_id not in newest or event.version >= newest[event.document_id].version:
            newest[event.document_id] = event
    return {
        document_id: getattr(event, "content_hash", None) or ""
        for document_id, event in newest.items()
        if not isinstance(event, DocumentDeleted)
        and event.version >= purged.get(partition_of(document_id, partitions), ZERO)
    }


def turns(*acts: Callable[[], object] | int) -> Callable[[], bool]:
    """Return a condition that does one act at each turn of the relay and then holds; a number waits as many turns."""
    plan = deque[Callable[[], object]]()
    for act in acts:
        plan.extend([act] if callable(act) else [lambda: None] * act)

    def holds() -> bool:
        if plan:
            plan.popleft()()
            return False
        return True

    return holds


def texts(events: list[DocumentEvent]) -> list[str]:
    """The texts that events carry, in their order."""
    return [event.after.text for event in events if isinstance(event, DocumentChanged) and event.after]
