"""A reader that looks at every document after every write, and knows what it may see."""

from collections.abc import Callable, Iterable, Sequence

from fakes.feature_samples import about
from fakes.features import InterruptedEngine
from fakes.histories import PARTITIONS, partition
from fakes.writers import FlowProcess
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import document_id_of
from twin_contracts.events import ZERO, Version
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.features.engine import Alias, Among, Delete, HybridQuery, Operation, PointEngine, Scored, Upsert
from twin_platform.features.port import ApplyDocument, ApplyPurge, FeatureHit
from twin_platform.features.store import PointFeatureStore

State = tuple[Version, RecordStatus, Digest | None]
Chunks = frozenset[tuple[str, str]]
"""Id and text of each."""
NOTHING: Chunks = frozenset()


class Reader:
    """Sees each document whole, in one state that a process has begun to write, and never in an older one than before.

    While an epoch is under way that is the state in force before it, or the epoch's. What a process has committed, and
    what a purge that it has committed is about, is the oldest that may be seen from then on.
    """

    def __init__(self, engine: PointEngine, names: Sequence[str]) -> None:
        self.store = PointFeatureStore(engine, PARTITIONS)
        self._engine = engine
        self._name_of = {document_id_of(name): name for name in names}
        self._queries = {name: about(name) for name in names}
        self._chunks_of: dict[str, dict[State, Chunks]] = {name: {} for name in names}
        self._oldest = dict.fromkeys(names, ZERO)
        self._recorded: set[str] = set()
        self._purged = [ZERO] * PARTITIONS
        self._unaware: dict[tuple[str, Version], list[FlowProcess]] = {}
        """States that an epoch which began before a purge may still show, until somebody else brings their event."""

    def begun(self, process: FlowProcess) -> None:
        """Take note of the states that an epoch may show from now on."""
        for change in process.changes:
            if isinstance(change, ApplyDocument):
                chunks = frozenset((chunk.id, chunk.payload.text) for chunk in (*process.stored_before, *change.chunks))
                self._chunks_of[self._name_of[change.record.document_id]][_state(change.record)] = chunks
            elif isinstance(change, ApplyPurge):
                for name, states in self._chunks_of.items():
                    if partition(name) == change.partition:
                        states[change.before, RecordStatus.DELETED, None] = NOTHING

    def committed(self, process: FlowProcess, others: Sequence[FlowProcess]) -> None:
        """Take note of what may not be seen any more; look whether a process that is alone has cleaned up."""
        self.look()
        for change in process.changes:
            if isinstance(change, ApplyDocument):
                name, at = self._name_of[change.record.document_id], change.record.version
                assert name in self._recorded, "an epoch left no record"
                assert self._oldest[name] >= at, "an epoch left an older state"
                if process not in self._unaware.get((name, at), []):
                    self._unaware.pop((name, at), None)
            elif isinstance(change, ApplyPurge):
                self._purged[change.partition] = max(self._purged[change.partition], change.before)
                for other in others:
                    for state in other.changes:
                        if isinstance(state, ApplyDocument):
                            key = self._name_of[state.record.document_id], state.record.version
                            self._unaware.setdefault(key, []).append(other)
        if not others:
            self._look_for_leftovers(process)

    def forgotten(self, names: Iterable[str]) -> None:
        """Expect no record of these any more."""
        self._recorded.difference_update(names)

    def look(self) -> None:
        """Look at every document."""
        self._look(list(self._name_of))

    def look_at_what(self, operation: Operation) -> None:
        """Look at the documents that a write was about."""
        match operation:
            case Upsert(points):
                ids = {str(point.payload.get("document_id", point.id)) for point in points}
            case Delete(where):
                ids = {value for one in where if isinstance(one, Among) for value in one.values}
        self._look([document_id for document_id in self._name_of if document_id in ids])

    def _look(self, ids: Sequence[DocumentId]) -> None:
        records = self.store.records(ids)
        for document_id in ids:
            name = self._name_of[document_id]
            self._look_at(name, records.get(document_id), self.store.search(self._queries[name]))

    def search_beside(self, name: str, meanwhile: Callable[[], None]) -> None:
        """Search while something happens between the hits and the look at their record: they are one state's."""
        oldest = self._oldest[name]
        chunks = _chunks(PointFeatureStore(Overtaken(self._engine, meanwhile), PARTITIONS).search(self._queries[name]))
        states = [known for (at, _, _), known in self._chunks_of[name].items() if at >= oldest]
        assert not chunks or any(chunks <= known for known in states), "a mixture was seen"

    def _look_for_leftovers(self, process: FlowProcess) -> None:
        records = self.store.records(list(self._name_of))
        applied = {one.record.document_id for one in process.changes if isinstance(one, ApplyDocument)}
        purged = {(one.partition, one.before) for one in process.changes if isinstance(one, ApplyPurge)}
        for document_id, record in records.items():
            name = self._name_of[document_id]
            if document_id in applied or (partition(name), record.version) in purged:
                stored = self.store.chunks(document_id)
                old = {(chunk.id, chunk.payload.text) for chunk in stored if chunk.payload.version <= record.version}
                assert old <= self._chunks_of[name][_state(record)], "an epoch left chunks that no record names"

    def _look_at(self, name: str, record: DocumentRecord | None, hits: Sequence[FeatureHit]) -> None:
        if record is None:
            assert name not in self._recorded, "a record is gone"
            assert not hits, "chunks without a record are seen"
            return
        known = self._chunks_of[name]
        assert _state(record) in known, "a record that nobody wrote"
        assert len(hits) == len(known[_state(record)]), "a state is seen in part"
        assert _chunks(hits) == known[_state(record)], "another state is seen than the record's"
        assert all(hit.payload.version >= record.version for hit in hits), "an audit would take what is in force"
        assert record.version >= self._oldest[name], "an older state is seen after a newer one"
        if record.status is not RecordStatus.DELETED and (name, record.version) not in self._unaware:
            assert record.version >= self._purged[partition(name)], "what was purged is seen"
        self._oldest[name] = record.version
        self._recorded.add(name)


class Overtaken(InterruptedEngine):
    """Calls `meanwhile` after the first query."""

    def __init__(self, engine: PointEngine, meanwhile: Callable[[], None]) -> None:
        super().__init__(engine, 0, meanwhile)

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        found = super().query(alias, query)
        self.left -= 1
        if self.left == -1:
            self._interruption()
        return found


def _state(record: DocumentRecord) -> State:
    return record.version, record.status, record.revision


def _chunks(hits: Sequence[FeatureHit]) -> Chunks:
    return frozenset((hit.id, hit.payload.text) for hit in hits)
