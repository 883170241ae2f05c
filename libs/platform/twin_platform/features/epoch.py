"""One epoch's writes, in the order that shows no reader a mixture, whichever two of them a kill falls between.

1. Read the records and the purges of their partitions. What is older than its record is dropped. What is older than
   its partition's purge is buried: of a document that exists, the re-emission brought a newer event before the purge.
   What is equal is applied again, which heals an interrupted epoch.
2. Deleted, rejected, parked: the record first, so that nothing of the document counts.
3. Indexed: every chunk as a whole point; no record names the revision yet.
4. The record. This is the commit.
5. Of each document, the chunks go that its record, as it is stored now, does not name. Of one that had no record and
   no chunk when the epoch began, and that nobody else wrote meanwhile, there are none: nothing is deleted.
6. Purges.

A chunk is written or deleted on the condition that what is stored is not newer; a record, that what is stored is older.
So of two outcomes of one version (another pipeline, a handler that failed once) the first stays, and whoever wrote the
other touches none of its chunks.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple, Self

from twin_contracts.base import DocumentId, uuid_of
from twin_contracts.events import Version
from twin_contracts.queues import partition_of
from twin_contracts.records import ChunkPayload, DocumentRecord, RecordStatus
from twin_platform.features.engine import (
    CHUNKS,
    Alias,
    Among,
    Before,
    Delete,
    JsonObject,
    Operation,
    Other,
    Point,
    PointEngine,
    Select,
    Upsert,
    UpTo,
    Where,
    alias_of,
)
from twin_platform.features.port import ApplyDocument, ApplyPurge, ApplySlice, EmbeddedChunk, FeatureChange

_PAGE = 500
_PURGED = "purged"
"""Status of the point that remembers a partition's purge; no record has it."""
IS_RECORD: Where = (Other("status", _PURGED),)
"""Holds for the records among the points of their collection."""


class _State(NamedTuple):
    """One outcome of one version of a document."""

    version: Version
    status: object
    revision: object

    @classmethod
    def of(cls, told: DocumentRecord | ChunkPayload) -> Self:
        status = told.status if isinstance(told, DocumentRecord) else RecordStatus.INDEXED
        return cls(told.version, status.value, told.revision)


@dataclass(frozen=True)
class _Known:
    """What is stored of an epoch's documents, and of their partitions' purges, before it writes."""

    states: Mapping[str, _State]
    partitions: int

    @classmethod
    def read(cls, engine: PointEngine, ids: set[DocumentId], partitions: int) -> Self:
        purges = {_purge_id(partition_of(document_id, partitions), partitions) for document_id in ids}
        return cls(_states(engine, ids | purges), partitions)

    def too_late_for(self, told: DocumentRecord | ChunkPayload) -> Version | None:
        """Return the purge that this should have come before; None where it is not older than one."""
        partition = partition_of(told.document_id, self.partitions)
        purge = self.states.get(_purge_id(partition, self.partitions))
        return purge.version if purge is not None and told.version < purge.version else None

    def admit(self, told: DocumentRecord | ChunkPayload) -> bool:
        """Return whether it is news, or what is stored already."""
        stored, state = self.states.get(told.document_id), _State.of(told)
        if stored is not None and state != stored and not stored.version < state.version:
            return False
        return self.too_late_for(told) is None

    def without_chunks(self, engine: PointEngine, ids: set[DocumentId]) -> set[DocumentId]:
        """Return those of `ids` that have neither a record nor a chunk."""
        new = ids - self.states.keys()
        where = (Among("document_id", tuple(sorted(new))),)
        for alias in CHUNKS if new else ():
            for page in scroll_pages(engine, alias, where, Select(fields=("document_id",)), _PAGE):
                new -= {str(point.payload["document_id"]) for point in page}
        return new


def apply_epoch(engine: PointEngine, changes: Sequence[FeatureChange], partitions: int) -> Sequence[DocumentRecord]:
    """Apply the epoch. Repeating it whole, after a failure anywhere in it, ends in the same state.

    Returns:
        Those of the epoch's records that are in force now.

    Raises:
        FeaturesUnavailable: the engine could not; repeat the whole epoch.
    """
    documents = [change for change in changes if isinstance(change, ApplyDocument)]
    sliced = [chunk for change in changes if isinstance(change, ApplySlice) for chunk in change.chunks]
    told = [document.record for document in documents] + [chunk.payload for chunk in sliced]
    known = _Known.read(engine, {one.document_id for one in told}, partitions)
    admitted = [document for document in documents if known.admit(document.record)]
    records = [document.record for document in admitted]
    new = known.without_chunks(engine, {document.record.document_id for document in documents})

    _bury_late(engine, known, told)
    _write_records(engine, [record for record in records if record.status is not RecordStatus.INDEXED])
    sliced = [chunk for chunk in sliced if known.admit(chunk.payload)]
    _write_chunks(engine, sliced + [chunk for document in admitted for chunk in document.chunks])
    _write_records(engine, [record for record in records if record.status is RecordStatus.INDEXED])
    stored = _settled(engine, [document.record.document_id for document in documents], records)
    in_force = [record for record in records if stored.get(record.document_id) == _State.of(record)]
    new -= stored.keys() - {record.document_id for record in in_force}
    _delete_chunks(engine, [_not_named_by(one, state) for one, state in stored.items() if one not in new])
    for change in changes:
        if isinstance(change, ApplyPurge):
            _purge(engine, change, partitions)
    return in_force


def is_record(point: Point) -> bool:
    """Return whether a point that was asked for by its id is a record."""
    return point.payload["status"] != _PURGED


def scroll_pages(engine: PointEngine, alias: Alias, where: Where, select: Select, size: int) -> Iterator[list[Point]]:
    """Iterate over pages in id order. What is written meanwhile may be missed, and never comes twice."""
    offset: str | None = None
    while True:
        page, offset = engine.scroll(alias, where, select, offset, size)
        yield page
        if offset is None:
            return


def _states(engine: PointEngine, ids: Collection[str]) -> Mapping[str, _State]:
    points = engine.retrieve(Alias.DOCUMENTS, sorted(ids), Select(fields=("version", "status", "revision")))
    return {
        point.id: _State(_version(point), point.payload["status"], point.payload.get("revision")) for point in points
    }


def _version(point: Point) -> Version:
    return Version.model_validate(point.payload["version"])


def _write_records(engine: PointEngine, records: Sequence[DocumentRecord]) -> None:
    """Write on one condition: what is stored is older than the oldest of these. `_settled` writes what that held back.

    A call for each record, on its own condition, took the engine twice the time.
    """
    points = tuple(Point(record.document_id, _payload(record)) for record in records)
    if points:
        engine.write(Alias.DOCUMENTS, [Upsert(points, (Before(min(record.version for record in records)),))])


def _settled(
    engine: PointEngine, ids: Collection[DocumentId], records: Sequence[DocumentRecord]
) -> Mapping[str, _State]:
    """Return what is stored now, each of these records or something that is not older."""
    stored = _states(engine, ids)
    held_back = [one for one in records if one.document_id in stored and stored[one.document_id].version < one.version]
    for record in held_back:
        _write_records(engine, [record])
    return _states(engine, ids) if held_back else stored


def _write_chunks(engine: PointEngine, chunks: Sequence[EmbeddedChunk]) -> None:
    """Write each stretch of one version, as a document's chunks are, on one condition."""
    for alias in CHUNKS:
        own = [chunk for chunk in chunks if alias_of(chunk.payload.metadata.type) is alias]
        stretches = groupby(own, key=lambda chunk: chunk.payload.version)
        _write(engine, alias, [Upsert(tuple(map(_chunk_point, stretch)), (UpTo(at),)) for at, stretch in stretches])


def _chunk_point(chunk: EmbeddedChunk) -> Point:
    keywords = "\n".join((*chunk.payload.heading_path, chunk.payload.text))
    return Point(chunk.id, _payload(chunk.payload), chunk.vector, keywords)


def _payload(told: DocumentRecord | ChunkPayload) -> JsonObject:
    """Return what is stored: what has its default is left out, since engines take microseconds for every field."""
    return told.model_dump(mode="json", exclude_defaults=True)


def _not_named_by(document_id: DocumentId, record: _State) -> Where:
    """Hold for the document's chunks of other revisions, or for all of them where it is not indexed.

    Not for newer ones: somebody is about to write their record.
    """
    older = (Among("document_id", (document_id,)), UpTo(record.version))
    if record.status != RecordStatus.INDEXED:
        return older
    return *older, Other("revision", str(record.revision))


def _delete_chunks(engine: PointEngine, conditions: Sequence[Where]) -> None:
    for alias in CHUNKS:  # both, whatever the document's type: it may have had another one before
        _write(engine, alias, [Delete(where) for where in conditions])


def _write(engine: PointEngine, alias: Alias, operations: Sequence[Operation]) -> None:
    if operations:
        engine.write(alias, operations)


def _bury_late(engine: PointEngine, known: _Known, told: Sequence[DocumentRecord | ChunkPayload]) -> None:
    """Leave tombstones where something older than its partition's purge arrived, as if it had come before it."""
    late: dict[Version, set[DocumentId]] = {}
    for one in told:
        before = known.too_late_for(one)
        if before is not None:
            late.setdefault(before, set()).add(one.document_id)
    for before, ids in late.items():
        _bury(engine, sorted(ids), before)


def _bury(engine: PointEngine, ids: Sequence[DocumentId], before: Version) -> None:
    """Replace the records strictly older than `before` by tombstones of that version, then delete such chunks."""
    tombstones = (DocumentRecord.tombstone(document_id, before) for document_id in ids)
    points = tuple(Point(record.document_id, _payload(record)) for record in tombstones)
    engine.write(Alias.DOCUMENTS, [Upsert(points, (Before(before),))])
    _delete_chunks(engine, [(Among("document_id", tuple(ids)), Before(before))])


def _purge(engine: PointEngine, purge: ApplyPurge, partitions: int) -> None:
    """Bury the partition's records that are older; remember it for documents that have no record yet."""
    remembered = Point(
        _purge_id(purge.partition, partitions), {"status": _PURGED, "version": purge.before.model_dump(mode="json")}
    )
    engine.write(Alias.DOCUMENTS, [Upsert((remembered,), (Before(purge.before),))])
    select = Select(fields=("version", "status"))
    for page in scroll_pages(engine, Alias.DOCUMENTS, (UpTo(purge.before), *IS_RECORD), select, _PAGE):
        mine = [point for point in page if partition_of(point.id, partitions) == purge.partition]
        unseen = [point.id for point in mine if _is_to_bury(point, purge.before)]
        if unseen:
            _bury(engine, unseen, purge.before)


def _is_to_bury(record: Point, before: Version) -> bool:
    """Return whether it is older, or a tombstone of this version: an interrupted purge may have left its chunks."""
    if record.payload["status"] == RecordStatus.DELETED:
        return _version(record) == before
    return _version(record) < before


@cache
def _purge_id(partition: int, partitions: int) -> str:
    """Return the id of the point that remembers this partition's newest purge; another division has others."""
    return uuid_of("purge", str(partitions), str(partition))
