"""One epoch's writes, in the order that shows no reader a mixture, whichever two of them a kill falls between.

1. Read the records; drop what is older. What is equal is applied again, which heals an interrupted epoch.
2. Deleted, rejected, parked: the record first, so that nothing of the document counts; then its chunks go.
3. Indexed: every chunk as a whole point; no record names the revision yet.
4. The record. This is the commit.
5. The document's chunks of other revisions go.
6. Purges.

Every write carries the condition that what is stored is not newer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from twin_contracts.base import DocumentId
from twin_contracts.events import Version
from twin_contracts.queues import partition_of
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.features.engine import (
    CHUNKS,
    Alias,
    Among,
    Before,
    Delete,
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


def apply_epoch(engine: PointEngine, changes: Sequence[FeatureChange], partitions: int) -> None:
    """Apply the epoch. Repeating it whole, after a failure anywhere in it, ends in the same state.

    Raises:
        FeaturesUnavailable: the engine could not; repeat the whole epoch.
    """
    documents = [change for change in changes if isinstance(change, ApplyDocument)]
    sliced = [chunk for change in changes if isinstance(change, ApplySlice) for chunk in change.chunks]
    stored = _stored_versions(
        engine, {d.record.document_id for d in documents} | {chunk.payload.document_id for chunk in sliced}
    )
    documents = [d for d in documents if not d.record.version < stored.get(d.record.document_id, d.record.version)]
    sliced = [c for c in sliced if not c.payload.version < stored.get(c.payload.document_id, c.payload.version)]
    indexed = [document for document in documents if document.record.status is RecordStatus.INDEXED]
    withdrawn = [document.record for document in documents if document.record.status is not RecordStatus.INDEXED]

    _write_records(engine, withdrawn)
    _delete_chunks(engine, [_chunks_of(record) for record in withdrawn])
    _write_chunks(engine, sliced + [chunk for document in indexed for chunk in document.chunks])
    _write_records(engine, [document.record for document in indexed])
    _delete_chunks(engine, [_chunks_of_other_revisions(document.record) for document in indexed])
    for change in changes:
        if isinstance(change, ApplyPurge):
            _purge(engine, change, partitions)


def scroll_pages(engine: PointEngine, alias: Alias, where: Where, select: Select, size: int) -> Iterator[list[Point]]:
    """Iterate over pages in id order. What is written meanwhile may be missed, and never comes twice."""
    offset: str | None = None
    while True:
        page, offset = engine.scroll(alias, where, select, offset, size)
        yield page
        if offset is None:
            return


def _stored_versions(engine: PointEngine, ids: Iterable[DocumentId]) -> Mapping[DocumentId, Version]:
    points = engine.retrieve(Alias.DOCUMENTS, sorted(ids), Select(fields=("version",)))
    return {point.id: _version(point) for point in points}


def _version(point: Point) -> Version:
    return Version.model_validate(point.payload["version"])


def _write_records(engine: PointEngine, records: Sequence[DocumentRecord]) -> None:
    by_version: dict[Version, list[Point]] = {}
    for record in records:
        point = Point(record.document_id, record.model_dump(mode="json"))
        by_version.setdefault(record.version, []).append(point)
    _write(engine, Alias.DOCUMENTS, _upserts(by_version))


def _write_chunks(engine: PointEngine, chunks: Sequence[EmbeddedChunk]) -> None:
    for alias in CHUNKS:
        by_version: dict[Version, list[Point]] = {}
        for chunk in chunks:
            if alias_of(chunk.payload.metadata.type) is alias:
                by_version.setdefault(chunk.payload.version, []).append(_chunk_point(chunk))
        _write(engine, alias, _upserts(by_version))


def _chunk_point(chunk: EmbeddedChunk) -> Point:
    keywords = "\n".join((*chunk.payload.heading_path, chunk.payload.text))
    return Point(chunk.id, chunk.payload.model_dump(mode="json"), chunk.vector, keywords)


def _upserts(by_version: Mapping[Version, list[Point]]) -> list[Operation]:
    return [Upsert(tuple(points), (UpTo(version),)) for version, points in by_version.items()]


def _chunks_of(record: DocumentRecord) -> Where:
    return Among("document_id", (record.document_id,)), UpTo(record.version)


def _chunks_of_other_revisions(record: DocumentRecord) -> Where:
    return *_chunks_of(record), Other("revision", record.revision or "")


def _delete_chunks(engine: PointEngine, conditions: Sequence[Where]) -> None:
    for alias in CHUNKS:  # both, whatever the document's type: it may have had another one before
        _write(engine, alias, [Delete(where) for where in conditions])


def _write(engine: PointEngine, alias: Alias, operations: Sequence[Operation]) -> None:
    if operations:
        engine.write(alias, operations)


def _purge(engine: PointEngine, purge: ApplyPurge, partitions: int) -> None:
    """Replace records strictly older than `before` by tombstones of that version.

    A tombstone of exactly that version may be what an interrupted purge left: its chunks are deleted (again).
    """
    select = Select(fields=("version", "status"))
    for page in scroll_pages(engine, Alias.DOCUMENTS, (UpTo(purge.before),), select, _PAGE):
        mine = [point for point in page if partition_of(point.id, partitions) == purge.partition]
        deleted = {point.id for point in mine if point.payload["status"] == RecordStatus.DELETED}
        begun = [point.id for point in mine if point.id in deleted and _version(point) == purge.before]
        unseen = [point.id for point in mine if point.id not in deleted and _version(point) < purge.before]
        if unseen:
            tombstones = (DocumentRecord.tombstone(document_id, purge.before) for document_id in unseen)
            points = tuple(Point(record.document_id, record.model_dump(mode="json")) for record in tombstones)
            engine.write(Alias.DOCUMENTS, [Upsert(points, (Before(purge.before),))])
        if unseen or begun:
            _delete_chunks(engine, [(Among("document_id", (*begun, *unseen)), Before(purge.before))])
