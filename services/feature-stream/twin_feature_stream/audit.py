"""The audit: store, records and chunks compared while the system runs; what differs is asked for again.

Two looks: the first walks everything, the second, when nothing is on its way any more, looks at what differed. Only
what is the same at both is a difference. It is repaired by the one re-emission path, chunks that nobody names included:
whatever is stored of a document, its present state at a new version settles it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Final, TypeVar

from twin_contracts.audit import AuditCounts, AuditReport, AuditRequest, AuditState
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import DocumentType
from twin_contracts.events import ZERO, Version
from twin_contracts.records import DocumentRecord
from twin_contracts.reemission import MAX_REEMISSION_IDS
from twin_feature_stream.compare import Difference, Kind, Pair, look_again, pages, pairs
from twin_feature_stream.in_hand import events_in_hand
from twin_feature_stream.leftovers import Leftovers
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.documents.port import DocumentStore
from twin_platform.features.port import FeatureStore
from twin_platform.log.port import EventLog
from twin_platform.records.audits import AUDIT_REPORTS, finish_audit
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import is_captured
from twin_platform.records.reemissions import ask_reemission, open_reemissions
from twin_platform.telemetry.clock import Clock

MOST_LISTED: Final = 50_000
"""Differing documents that are remembered; where there are more, everything is asked for again."""
LOOK_AGAIN: Final = 8
"""Documents read at a time at the second look; each may have 8 MiB."""
PACE_SECONDS: Final = 0.005
"""Rest after each page, in which the system's other threads get their turn."""
TELL_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 120.0
"""How long the second look waits while not one event fewer is on its way."""
_WAIT_SECONDS: Final = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Stores:
    """What an audit compares, and where it reads what is on its way."""

    documents: DocumentStore
    records: RecordStore
    log: EventLog
    features: FeatureStore
    clock: Clock
    flow_count: int = 1
    """How many flows share the partitions."""

    def on_its_way(self) -> int:
        """Return 0 where everything that was committed or asked for has been published and acknowledged."""
        coming = (not is_captured(self.documents, self.records)) + len(open_reemissions(self.records))
        waiting = self.log.waiting()  # after these: what comes is in it by then
        return coming + waiting + events_in_hand(self.records, self.flow_count)  # last: a broker counts no such


class _Stopped(Exception):
    """The flag was set; the request stays open and is carried out by whoever comes next."""


@dataclass
class Audit:
    """One audit; memory stays flat, however many documents there are."""

    stores: Stores
    registry: HandlerRegistry
    report: AuditReport
    stop: Flag
    settle_seconds: float = SETTLE_SECONDS
    _found: dict[DocumentId, Difference] = field(default_factory=dict)
    _foreign: dict[DocumentId, Digest] = field(default_factory=dict)
    _everything: bool = False
    """Whether a list cannot name all that differs."""
    _newest: Version = ZERO
    _told: float | None = None

    def __post_init__(self) -> None:
        """Begin with no chunk judged."""
        self._leftovers = Leftovers(self.stores.features, self.stores.records, self.stores.clock)
        self._pipelines = {kind: self.registry.pipeline(kind) for kind in DocumentType}
        self._standing: dict[DocumentId, Kind] = {}

    def run(self) -> AuditReport | None:
        """Carry it out; None where it was stopped before its end.

        Raises:
            TransientError: a store did not answer; the request stays open.
        """
        try:
            self._compare()
            self._settle()
            self._look_again()
        except _Stopped:
            return None
        self._ask()
        self._leftovers.watch(self.report.id)
        self._change(chunks_removed=self._leftovers.removed, chunks_watched=len(self._leftovers.found))
        return finish_audit(self.stores.records, self.stores.clock, self.report)

    def _compare(self) -> None:
        documents, features = self.stores.documents, self.stores.features
        self._change(state=AuditState.COMPARING, total=documents.count() + features.count_chunks())
        counted: Counter[str] = Counter()
        for page in self._paced(pairs(documents, features, self._foreign)):
            for pair in page:
                counted["documents"] += pair.stored is not None
                self._note(pair)
                if pair.record is not None:
                    counted["records"] += 1
                    counted["outdated"] += pair.stored is not None and self._is_outdated(pair.record)
                    self._newest = max(self._newest, pair.record.version)
        for marks in self._paced(features.chunk_marks()):
            counted["chunks"] += len(marks)
            self._leftovers.judge(marks)
        counted["documents"] += len(self._foreign)
        self._change(counts=AuditCounts.model_validate(counted))

    def _note(self, pair: Pair) -> None:
        difference = pair.difference()
        if difference is None or pair.document_id in self._found:
            return
        if len(self._found) < MOST_LISTED:
            self._found[pair.document_id] = difference
        else:
            self._everything = True

    def _is_outdated(self, record: DocumentRecord) -> bool:
        if record.pipeline is None or record.metadata is None:
            return False
        return record.pipeline != self._pipelines[record.metadata.type]

    def _settle(self) -> None:
        """Wait until nothing is on its way; as long as that becomes less, and a while longer."""
        self._change(state=AuditState.SETTLING)
        clock, least, since = self.stores.clock, None, 0.0
        while (waiting := self.stores.on_its_way()) and (self._found or self._leftovers.found):
            if least is None or waiting < least:
                least, since = waiting, clock.monotonic()
            elif clock.monotonic() - since > self.settle_seconds:
                self._change(was_quiet=False)
                return
            self._rest(_WAIT_SECONDS)

    def _look_again(self) -> None:
        """Keep what is as it was; count it."""
        documents, features = self.stores.documents, self.stores.features
        standing: dict[DocumentId, Kind] = {}
        for ids in self._paced(sorted(self._found.keys() - self._foreign), LOOK_AGAIN):
            now = look_again(documents, features, ids, self._newest)
            standing |= {one: now[one].kind for one in ids if one in now and now[one] == self._found[one]}
        for document_id in self._leftovers.look_again():
            standing.setdefault(document_id, Kind.ORPHANED)
        standing |= self._foreign_differences()
        kinds = Counter(standing.values())
        self._change(counts=self.report.counts.model_copy(update={kind.value: kinds[kind] for kind in Kind}))
        self._standing = standing

    def _foreign_differences(self) -> dict[DocumentId, Kind]:
        """Judge what no list can ask for: where it differs, everything is asked for."""
        found: dict[DocumentId, Kind] = {}
        for ids in pages(sorted(self._foreign)):
            records = self.stores.features.records(ids, with_text=False)
            for one in ids:
                difference = Pair(one, self._foreign[one], records.get(one)).difference()
                if difference is not None:
                    found[one] = difference.kind
                    self._everything = True
        return found

    def _ask(self) -> None:
        """Ask for what differs, unless a re-emission of everything is still to bring it."""
        ids = sorted(self._standing)
        if not ids or any(request.ids is None for request in open_reemissions(self.stores.records)):
            return
        lists: Sequence[list[DocumentId] | None] = [None] if self._everything else list(pages(ids, MAX_REEMISSION_IDS))
        asked = [
            ask_reemission(
                self.stores.records,
                self.stores.clock,
                f"audit: {len(ids):,} documents differ",
                tuple(one) if one is not None else None,
            )
            for one in lists
        ]
        reemissions = tuple(request.id for request in asked)
        self._change(reemissions=reemissions, asked_again=0 if self._everything else len(ids))

    def _paced(self, items: Iterable[T], size: int | None = None) -> Iterator[list[T]]:
        """Yield pages, telling progress and resting after each."""
        for page in pages(items, size) if size else pages(items):
            yield page
            if not size:
                checked = min(self.report.total, self.report.checked + len(page))
                self.report = self.report.model_copy(update={"checked": checked})
            now = self.stores.clock.monotonic()
            if self._told is None or now - self._told >= TELL_SECONDS:
                self._change()
                self.stores.features.flush()  # which lets go of the memory that what was read takes
            self._rest(PACE_SECONDS)

    def _rest(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise _Stopped

    def _change(self, **changes: object) -> None:
        """Change the report and store it."""
        self.report = self.report.model_copy(update=changes)
        self.stores.records.put(AUDIT_REPORTS, self.report.id, self.report)
        self._told = self.stores.clock.monotonic()


def audit(
    stores: Stores, registry: HandlerRegistry, request: AuditRequest, stop: Flag, settle_seconds: float = SETTLE_SECONDS
) -> AuditReport | None:
    """Carry out an audit from its beginning; None where it was stopped."""
    return Audit(stores, registry, AuditReport.of(request), stop, settle_seconds).run()
