"""Flow processes that may stand still between any two calls to the engine, and go on long after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fakes.features import single_writes
from fakes.histories import NEVER, PARTITIONS, Event, Purge, outcome
from twin_contracts.events import Version
from twin_platform.features.engine import Alias, HybridQuery, Operation, Point, PointEngine, Scored, Select, Where
from twin_platform.features.port import ApplyDocument, ApplyPurge, ApplySlice, EmbeddedChunk, FeatureChange
from twin_platform.features.store import PointFeatureStore

Answer = TypeVar("Answer")


class Paused(BaseException):
    """A writer stands still here."""


class PausingEngine:
    """Lets a writer through to the engine call by call, a point at a time, and forgets nothing it has answered.

    Running the same writer again passes the calls that are done, so it goes on where it stood; `after_write` is called
    after each real write.
    """

    def __init__(self, engine: PointEngine, after_write: Callable[[Operation], None]) -> None:
        self._engine = engine
        self._after_write = after_write
        self._answers: list[object] = []
        self._place = 0
        self._left = 0

    def let(self, calls: int) -> None:
        self._place, self._left = 0, calls

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:
        for operation in operations:
            for one in single_writes(operation):
                self._call(lambda one=one: self._write(alias, one))  # type: ignore[misc]  # its only use is at once

    def retrieve(self, alias: Alias, ids: Sequence[str], select: Select) -> list[Point]:
        return self._call(lambda: self._engine.retrieve(alias, ids, select))

    def scroll(
        self, alias: Alias, where: Where, select: Select, offset: str | None, limit: int
    ) -> tuple[list[Point], str | None]:
        return self._call(lambda: self._engine.scroll(alias, where, select, offset, limit))

    def count(self, alias: Alias, where: Where) -> int:
        return self._call(lambda: self._engine.count(alias, where))

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        return self._call(lambda: self._engine.query(alias, query))

    def flush(self) -> None:
        pass

    def optimize(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _write(self, alias: Alias, operation: Operation) -> None:
        self._engine.write(alias, [operation])
        self._after_write(operation)

    def _call(self, act: Callable[[], Answer]) -> Answer:
        if self._place == len(self._answers):
            if self._left == 0:
                raise Paused
            self._left -= 1
            self._answers.append(act())
        self._place += 1
        return self._answers[self._place - 1]  # type: ignore[return-value]  # what the same call answered before


@dataclass(eq=False)
class FlowProcess:
    """Applies one epoch after the other, call by call; a crash forgets it, a stop does not."""

    engine: PointEngine
    pipeline: int
    after_write: Callable[[Operation], None]
    on_commit: Callable[["FlowProcess"], None]
    changes: Sequence[FeatureChange] = ()
    """Of the epoch that it is in; none between two epochs."""
    taken: Sequence[Event | Purge] = ()
    """What it acknowledges when this epoch is committed."""
    in_hand: Sequence[Event | Purge] = ()
    """What its last epoch was made from; another process gets it again."""
    sliced: tuple[Event, ApplyDocument] | None = None
    """What is left of a document that takes two epochs."""
    stored_before: tuple[EmbeddedChunk, ...] = ()
    """The slices of the document whose rest it applies."""
    buffer: list[Event] = field(default_factory=list)
    """What a stopped process had read ahead; others get it again."""
    _pausing: PausingEngine | None = None

    def begin(self, taken: Sequence[Event | Purge], parked: str | None) -> None:
        """Take an epoch: of each document the newest event, purges last."""
        newest = {item.name: item for item in sorted(events(taken), key=lambda event: event.version)}
        documents = [outcome(item, self.pipeline, is_parked=item.name == parked) for item in newest.values()]
        self._begin([*documents, *(ApplyPurge(one.partition, one.version) for one in purges(taken))], taken)

    def begin_slice(self, event: Event) -> None:
        """Take the beginning of a document; `begin_rest` brings its record."""
        whole = outcome(event, self.pipeline)
        self.sliced = (event, whole)
        self._begin([ApplySlice(whole.chunks[:1])], ())

    def begin_rest(self) -> None:
        assert self.sliced is not None
        (event, whole), self.sliced = self.sliced, None
        self._begin([replace(whole, chunks=whole.chunks[1:])], [event], whole.chunks[:1])

    def advance(self, calls: int) -> bool:
        """Let the epoch do so many calls more; return whether that was the commit."""
        assert self._pausing is not None
        self._pausing.let(calls)
        try:
            PointFeatureStore(self._pausing, PARTITIONS).apply(self.changes)
        except Paused:
            return False
        self.on_commit(self)
        self.changes, self.taken, self._pausing = (), (), None
        return True

    @property
    def is_busy(self) -> bool:
        return self._pausing is not None

    @property
    def oldest(self) -> Version:
        """Return the version of the oldest that it may still write."""
        held = [event.version for event in self.buffer] + ([self.sliced[0].version] if self.sliced else [])
        return min([*held, *(_version_of(change) for change in self.changes)], default=NEVER)

    def _begin(
        self,
        changes: Sequence[FeatureChange],
        taken: Sequence[Event | Purge],
        stored_before: tuple[EmbeddedChunk, ...] = (),
    ) -> None:
        self.changes, self.taken, self.in_hand, self.stored_before = changes, taken, taken, stored_before
        self._pausing = PausingEngine(self.engine, self.after_write)


def _version_of(change: FeatureChange) -> Version:
    match change:
        case ApplyDocument(record):
            return record.version
        case ApplySlice(chunks):
            return chunks[0].payload.version if chunks else NEVER
        case ApplyPurge():
            return change.before


def events(items: Sequence[Event | Purge]) -> list[Event]:
    return [item for item in items if isinstance(item, Event)]


def purges(items: Sequence[Event | Purge]) -> list[Purge]:
    return [item for item in items if isinstance(item, Purge)]
