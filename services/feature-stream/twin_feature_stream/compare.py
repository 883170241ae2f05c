"""What differs between the document store and the two snapshots, found page by page; memory stays flat."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice
from typing import TypeVar

from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import told_id
from twin_contracts.events import Version
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.documents.port import DocumentStore
from twin_platform.features.port import ChunkMark, FeatureStore

PAGE = 256
"""Documents, records or chunks in memory at a time."""

T = TypeVar("T")


class Kind(StrEnum):
    """How a document differs; each is a field of `AuditCounts`."""

    MISSING = "missing"
    STALE = "stale"
    UNEXPECTED = "unexpected"
    INCOMPLETE = "incomplete"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Difference:
    """A document as both sides have it. One that is still the same at a second look stands; else it was on its way."""

    kind: Kind
    stored: Digest | None
    version: Version | None
    """The record's."""
    chunks: int
    """In force."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the store and the snapshots have under one id."""

    document_id: DocumentId
    stored: Digest | None = None
    record: DocumentRecord | None = None
    chunks: int = 0
    """Those in force of an `indexed` record."""

    def difference(self) -> Difference | None:
        """Return how the two sides differ, None where they do not."""
        kind = self._kind()
        version = self.record.version if self.record else None
        return Difference(kind, self.stored, version, self.chunks) if kind else None

    def _kind(self) -> Kind | None:
        record = self.record
        if record is None or record.status is RecordStatus.DELETED:
            return None if self.stored is None else Kind.MISSING
        if self.stored is None:
            return Kind.UNEXPECTED
        if record.content_hash != self.stored:
            return Kind.STALE
        is_whole = record.status is not RecordStatus.INDEXED or record.chunks == self.chunks
        return None if is_whole else Kind.INCOMPLETE


def pairs(documents: DocumentStore, features: FeatureStore, foreign: dict[DocumentId, Digest]) -> Iterator[Pair]:
    """Walk both sides in id order. What is written meanwhile may be seen on one side only.

    Args:
        foreign: receives what is stored under something that is no document id, by the id under which it is told;
            its records come without it.
    """
    sides = heapq.merge(_stored(documents, foreign), _recorded(features), key=_id_of)
    for document_id, both in groupby(sides, key=_id_of):
        found = list(both)
        stored = next((pair.stored for pair in found if pair.record is None), None)
        recorded = next((pair for pair in found if pair.record is not None), Pair(document_id))
        yield Pair(document_id, stored, recorded.record, recorded.chunks)


def look_again(
    documents: DocumentStore, features: FeatureStore, ids: Sequence[DocumentId], newest: Version
) -> dict[DocumentId, Difference]:
    """Return which of these differ now. The store's versions are later than `newest` afterwards."""
    snapshot = documents.read(ids, at_least=newest)
    stored = {row.document_id: row.content_hash or "" for row in snapshot.rows}
    records = features.records(ids, with_text=False)
    chunks = _in_force(features, records)
    now = (Pair(one, stored.get(one), records.get(one), chunks[one]) for one in ids)
    return {pair.document_id: difference for pair in now if (difference := pair.difference()) is not None}


def is_in_force(chunk: ChunkMark, record: DocumentRecord | None) -> bool:
    """Return whether the record names the chunk, as readers see it."""
    return record is not None and record.status is RecordStatus.INDEXED and record.revision == chunk.revision


def pages(items: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """Cut what is iterated over into lists."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def _stored(documents: DocumentStore, foreign: dict[DocumentId, Digest]) -> Iterator[Pair]:
    after: DocumentId | None = None
    while page := documents.hashes(after, PAGE):
        after = page[-1][0]
        for stored_id, digest in page:
            document_id = told_id(stored_id)
            if document_id == stored_id:
                yield Pair(document_id, stored=digest)
            else:
                foreign[document_id] = digest


def _recorded(features: FeatureStore) -> Iterator[Pair]:
    for page in pages(features.find_records(with_text=False)):
        chunks = _in_force(features, {record.document_id: record for record in page})
        yield from (Pair(record.document_id, record=record, chunks=chunks[record.document_id]) for record in page)


def _in_force(features: FeatureStore, records: Mapping[DocumentId, DocumentRecord]) -> Counter[DocumentId]:
    named = [document_id for document_id, record in records.items() if record.chunks]
    marks = features.chunk_marks(named) if named else ()
    return Counter(mark.document_id for mark in marks if is_in_force(mark, records[mark.document_id]))


def _id_of(pair: Pair) -> DocumentId:
    return pair.document_id
