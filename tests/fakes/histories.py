"""The world around the sink in a history: documents, their commits, and the events that a log owes the flow."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fakes.feature_samples import BLOG, CODE, deleted, indexed, version, withdrawn
from twin_contracts.documents import document_id_of
from twin_contracts.events import Version
from twin_contracts.queues import partition_of
from twin_contracts.records import RecordStatus
from twin_platform.features.port import ApplyDocument

PARTITIONS = 2
NEVER = version(2)
"""Later than every commit of a history."""
REFUSED = "x"
"""A letter that handlers of even pipelines refuse."""


@dataclass(frozen=True)
class Content:
    """A document's text, as letters; each becomes a chunk."""

    letters: str
    is_code: bool = False


@dataclass(frozen=True)
class Event:
    """A document's state as of a version; None is a deletion."""

    name: str
    version: Version
    content: Content | None


@dataclass(frozen=True)
class Purge:
    """The end of a re-emission in one partition."""

    partition: int
    version: Version


def partition(name: str) -> int:
    return partition_of(document_id_of(name), PARTITIONS)


def outcome(event: Event, pipeline: int, *, is_parked: bool = False) -> ApplyDocument:
    """Return what the handlers of this pipeline make of the event."""
    content = event.content
    if content is None:
        return deleted(event.name, event.version)
    if REFUSED in content.letters and pipeline % 2 == 0:
        return withdrawn(event.name, event.version, RecordStatus.REJECTED)
    texts = [f"{letter} by {pipeline}" for letter in content.letters]
    whole = indexed(event.name, event.version, texts, CODE if content.is_code else BLOG)
    if is_parked:  # the same revision
        return ApplyDocument(whole.record.model_copy(update={"status": RecordStatus.PARKED, "chunks": 0, "text": None}))
    return whole


@dataclass
class World:
    """The document store, its change feed and its log, as far as the sink can tell. Each commit has its own version."""

    names: Sequence[str]
    contents: dict[str, Content | None] = field(default_factory=dict)
    told: dict[tuple[str, Version], Content | None] = field(default_factory=dict)
    live: list[Event] = field(default_factory=list)
    refill: list[deque[Event | Purge]] = field(default_factory=lambda: [deque() for _ in range(PARTITIONS)])
    past: list[Event] = field(default_factory=list)
    """Acknowledged; a broker may hand them out again."""
    owes_everything: bool = False
    """Something was committed that no feed will tell: a re-emission of everything has to begin after it."""
    _now: int = 0
    _first: Version | None = None
    _unscanned: list[str] = field(default_factory=list)

    def commit(self, name: str, content: Content | None, *, is_seen: bool = True) -> None:
        """Write or delete; what the feed does not see (a lost position) only a re-emission brings."""
        if content is None and self.contents.get(name) is None:
            return
        event = self._event(name, self._next(), content)
        self.contents[name] = content
        if is_seen:
            self.live.append(event)
        else:
            self.owes_everything = True

    def reemit(self, name: str) -> None:
        """Publish the present state, or that there is none, as for a list of ids."""
        self.refill[partition(name)].append(self._event(name, self._next(), self.contents.get(name)))

    def step_reemission(self) -> bool:
        """Begin a re-emission of everything, publish its next document, or end it; return whether it goes on."""
        if self._first is None:
            self.owes_everything = False
            self._first, self._unscanned = self._next(), list(self.names)
        at = self._first if len(self._unscanned) == len(self.names) else self._next()
        while self._unscanned:
            name = self._unscanned.pop(0)
            if self.contents.get(name) is not None:
                self.refill[partition(name)].append(self._event(name, at, self.contents[name]))
                return True
        for number, queue in enumerate(self.refill):
            queue.append(Purge(number, self._first))
        self._first = None
        return False

    @property
    def is_reemitting(self) -> bool:
        return self._first is not None

    def acknowledge(self, taken: Iterable[Event | Purge]) -> None:
        for item in taken:
            if isinstance(item, Event) and item in self.live:
                self.live.remove(item)
            elif item in self.refill[item.partition if isinstance(item, Purge) else partition(item.name)]:
                self.refill[item.partition if isinstance(item, Purge) else partition(item.name)].remove(item)
            if isinstance(item, Event) and item not in self.past:
                self.past.append(item)

    def waiting(self) -> list[Event | Purge]:
        return [*self.live, *(item for queue in self.refill for item in queue)]

    def _event(self, name: str, at: Version, content: Content | None) -> Event:
        self.told[name, at] = content
        return Event(name, at, content)

    def _next(self) -> Version:
        self._now += 1
        return version(1, self._now)
