"""The feature store over any point engine: what readers may see of what the epochs wrote."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Self

import numpy as np

from twin_contracts.base import AuthorId, Digest, DocumentId
from twin_contracts.documents import DocumentType
from twin_contracts.events import Version
from twin_contracts.live import DocumentNews
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_contracts.records import ChunkPayload, DocumentRecord, RecordStatus
from twin_platform.features.engine import (
    CHUNKS,
    Alias,
    Among,
    Before,
    Delete,
    HasId,
    HybridQuery,
    Point,
    PointEngine,
    Scored,
    Select,
    UpTo,
    Where,
    alias_of,
)
from twin_platform.features.epoch import IS_RECORD, apply_epoch, is_record, scroll_pages
from twin_platform.features.news import Listener, News
from twin_platform.features.port import (
    ApplyDocument,
    ChunkMark,
    FeatureChange,
    FeatureHit,
    FeatureQuery,
    StoredChunk,
    Vector,
)

_PAGE = 256
_WIDER = 4
"""How many times the hits a search asks for when it found some that do not count."""
_CANDIDATES_PER_HIT = 4
_FEWEST_CANDIDATES = 50
_MARK = ("document_id", "version", "revision")
_WITHOUT_TEXT = tuple(field for field in DocumentRecord.model_fields if field != "text")


class PointFeatureStore:
    """FeatureStore over a `PointEngine`. One thread applies, any number read, one more may do housekeeping.

    Housekeeping deletes by one engine call each, on conditions that what is stored is still what was seen: a chunk
    that the flow writes is newer than the one that was seen, a record that it writes is no old tombstone. Whatever
    lies between two calls of an epoch, the delete finds the old point or passes by the new one.
    """

    def __init__(self, engine: PointEngine, partitions: int = DEFAULT_PARTITIONS) -> None:
        self._engine = engine
        self._partitions = partitions
        self._news = News()

    def apply(self, changes: Sequence[FeatureChange]) -> None:
        """Apply one epoch in the order of `epoch.py`, then tell who listens."""
        records = [change.record for change in changes if isinstance(change, ApplyDocument)]
        gone = [record.document_id for record in records if record.status is RecordStatus.DELETED]
        before = self.records(gone, with_text=False) if gone and self._news.wanted else {}
        in_force = apply_epoch(self._engine, changes, self._partitions)
        self._news.tell(DocumentNews.of(record, before.get(record.document_id)) for record in in_force)

    def listen(self) -> AbstractContextManager[Listener]:
        """Return a context in which a listener hears what this store applies."""
        return self._news.listen()

    def vectors_of(self, ids: Sequence[DocumentId]) -> Mapping[DocumentId, Mapping[Digest, Vector]]:
        """Return text hash -> vector of every stored chunk, for each of these documents."""
        vectors: dict[DocumentId, dict[Digest, Vector]] = {document_id: {} for document_id in ids}
        select = Select(fields=("document_id", "text_hash"), vector=True)
        for point in self._chunk_points((Among("document_id", tuple(ids)),), select) if ids else ():
            if point.vector is not None:
                vectors[str(point.payload["document_id"])][str(point.payload["text_hash"])] = point.vector
        return vectors

    def search(self, query: FeatureQuery) -> list[FeatureHit]:
        """Return the best chunks in force; where some were not, search once more, wider."""
        found = self._best(query, query.limit)
        hits = self._in_force(query, found)
        if len(hits) < len(found):
            hits = self._in_force(query, self._best(query, _WIDER * query.limit))
        return hits[: query.limit]

    def records(self, ids: Sequence[DocumentId], *, with_text: bool = True) -> Mapping[DocumentId, DocumentRecord]:
        """Return the records that exist among `ids`."""
        select = Select() if with_text else Select(fields=_WITHOUT_TEXT)
        points = self._engine.retrieve(Alias.DOCUMENTS, ids, select)
        return {point.id: DocumentRecord.model_validate(point.payload) for point in points if is_record(point)}

    def find_records(
        self,
        *,
        status: RecordStatus | None = None,
        author: AuthorId | None = None,
        with_text: bool = True,
    ) -> Iterator[DocumentRecord]:
        """Iterate over records in id order, page by page."""
        where = (*_equal({"status": status, "metadata.author": author}), *IS_RECORD)
        select = Select() if with_text else Select(fields=_WITHOUT_TEXT)
        for page in scroll_pages(self._engine, Alias.DOCUMENTS, where, select, _PAGE):
            for point in page:
                yield DocumentRecord.model_validate(point.payload)

    def count_records(self, status: RecordStatus, authors: frozenset[AuthorId] | None = None) -> int:
        """Return how many records have this status, and one of these authors where some are given."""
        return self._engine.count(Alias.DOCUMENTS, _equal({"status": status}) + _by(authors))

    def chunks(self, document_id: DocumentId | None = None) -> Iterator[StoredChunk]:
        """Iterate over stored chunk points, page by page."""
        for point in self._chunk_points(_equal({"document_id": document_id}), Select()):
            yield StoredChunk(point.id, ChunkPayload.model_validate(point.payload))

    def chunk_marks(self, documents: Sequence[DocumentId] | None = None) -> Iterator[ChunkMark]:
        """Iterate over stored chunk points, of these documents or all, page by page."""
        where: Where = () if documents is None else (Among("document_id", tuple(documents)),)
        for point in self._chunk_points(where, Select(fields=_MARK)):
            yield ChunkMark(
                point.id,
                str(point.payload["document_id"]),
                Version.model_validate(point.payload["version"]),
                str(point.payload["revision"]),
            )

    def count_chunks(self, authors: frozenset[AuthorId] | None = None) -> int:
        """Return how many chunk points are stored, by one of these authors where some are given."""
        return sum(self._engine.count(alias, _by(authors)) for alias in CHUNKS)

    def remove_chunks(self, ids: Sequence[str], up_to: Version) -> None:
        """Delete these chunk points unless they are newer than `up_to`."""
        for alias in CHUNKS:
            self._engine.write(alias, [Delete((HasId(tuple(ids)), UpTo(up_to)))])

    def forget_tombstones(self, before: Version) -> int:
        """Drop tombstones strictly older than `before`; return how many."""
        where = (*_equal({"status": RecordStatus.DELETED}), Before(before))
        forgotten = self._engine.count(Alias.DOCUMENTS, where)
        self._engine.write(Alias.DOCUMENTS, [Delete(where)])
        return forgotten

    def is_empty(self) -> bool:
        """Return whether there is no record, or a collection without a chunk that records say to be full."""
        return self._has_none(Alias.DOCUMENTS, IS_RECORD) or any(self._was_lost(alias) for alias in CHUNKS)

    def flush(self) -> None:
        """Make everything applied so far durable."""
        self._engine.flush()

    def optimize(self) -> None:
        """Rebuild indexes; may block readers for seconds."""
        self._engine.optimize()

    def close(self) -> None:
        """Flush and release the engine. Idempotent."""
        self._engine.close()

    def __enter__(self) -> Self:
        """Return the store; leaving closes it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
        self.close()

    def _best(self, query: FeatureQuery, limit: int) -> list[Scored]:
        types = tuple(DocumentType) if query.types is None else query.types
        hybrid = HybridQuery(
            query.vector,
            query.text,
            _equal({"metadata.platform": query.platform, "document_id": query.document_id})
            + _by(query.authors)
            + (() if query.types is None else (Among("metadata.type", types),)),
            candidates=max(_FEWEST_CANDIDATES, _CANDIDATES_PER_HIT * limit),
            limit=limit,
        )
        aliases = sorted({alias_of(document_type) for document_type in types}, reverse=True)
        found = [scored for alias in aliases for scored in self._engine.query(alias, hybrid)]
        return sorted(found, key=lambda scored: -scored.score)[:limit]

    def _in_force(self, query: FeatureQuery, found: Sequence[Scored]) -> list[FeatureHit]:
        """Drop the hits whose record is not `indexed` or names another revision."""
        payloads = [ChunkPayload.model_validate(scored.payload) for scored in found]
        ids = sorted({payload.document_id for payload in payloads})
        select = Select(fields=("status", "revision"))
        in_force = {
            point.id: point.payload["revision"]
            for point in self._engine.retrieve(Alias.DOCUMENTS, ids, select)
            if point.payload["status"] == RecordStatus.INDEXED
        }
        return [
            _hit(query, scored, payload)
            for scored, payload in zip(found, payloads, strict=True)
            if in_force.get(payload.document_id) == payload.revision
        ]

    def _chunk_points(self, where: Where, select: Select) -> Iterator[Point]:
        for alias in CHUNKS:
            for page in scroll_pages(self._engine, alias, where, select, _PAGE):
                yield from page

    def _was_lost(self, alias: Alias) -> bool:
        types = tuple(document_type for document_type in DocumentType if alias_of(document_type) is alias)
        indexed = (*_equal({"status": RecordStatus.INDEXED}), Among("metadata.type", types))
        return self._has_none(alias, ()) and not self._has_none(Alias.DOCUMENTS, indexed)

    def _has_none(self, alias: Alias, where: Where) -> bool:
        page, _ = self._engine.scroll(alias, where, Select(fields=()), None, 1)
        return not page


def _equal(values: Mapping[str, str | None]) -> Where:
    """Return the conjunction of what is given; None asks nothing."""
    return tuple(Among(field, (value,)) for field, value in values.items() if value is not None)


def _by(authors: frozenset[AuthorId] | None) -> Where:
    return () if authors is None else (Among("metadata.author", tuple(sorted(authors))),)


def _hit(query: FeatureQuery, scored: Scored, payload: ChunkPayload) -> FeatureHit:
    similarity = float(np.dot(query.vector, scored.vector))
    return FeatureHit(scored.id, payload, scored.score, similarity, scored.vector)
