"""Port: the two snapshots. The record is the truth; every search checks its hits against the records."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from twin_contracts.base import AuthorId, Digest, DocumentId
from twin_contracts.documents import DocumentType
from twin_contracts.events import Version
from twin_contracts.records import ChunkPayload, DocumentRecord, RecordStatus
from twin_platform.features.news import Listener

Vector = NDArray[np.float32]
"""Shape (dimension,), unit length."""


@dataclass(frozen=True, slots=True)
class EmbeddedChunk:
    """A chunk ready to be stored."""

    id: str
    payload: ChunkPayload
    vector: Vector


@dataclass(frozen=True, slots=True)
class ApplyDocument:
    """A document's newest state: its record, and the chunks that are not stored yet.

    For an `indexed` record the chunks handed over, with those of earlier `ApplySlice`s of the same revision, are
    all that the record counts. Any other status has none.
    """

    record: DocumentRecord
    chunks: tuple[EmbeddedChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplySlice:
    """Some chunks of a revision that no record names yet, so nobody sees them."""

    chunks: tuple[EmbeddedChunk, ...]


@dataclass(frozen=True, slots=True)
class ApplyPurge:
    """Records of this partition strictly older than `before` become tombstones of version `before`.

    So does what arrives later and is older: of what exists the re-emission brought a newer event before its purge.
    """

    partition: int
    before: Version


FeatureChange = ApplyDocument | ApplySlice | ApplyPurge


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """A hybrid query: `text` for keywords (BM25), `vector` for meaning; fused by reciprocal rank."""

    text: str
    vector: Vector
    limit: int
    authors: frozenset[AuthorId] | None = None
    """Any of these; the empty set finds nothing."""
    types: tuple[DocumentType, ...] | None = None
    platform: str | None = None
    document_id: DocumentId | None = None


@dataclass(frozen=True, slots=True)
class FeatureHit:
    """A chunk in force."""

    id: str
    payload: ChunkPayload
    score: float
    """Reciprocal rank fusion; comparable inside one answer only."""
    similarity: float
    """Cosine of the query's and the chunk's vectors."""
    vector: Vector


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk point as it is stored, in force or not; what an audit reads."""

    id: str
    payload: ChunkPayload


@dataclass(frozen=True, slots=True)
class ChunkMark:
    """Which document, version and revision a stored chunk point is of; its text stays unread."""

    id: str
    document_id: DocumentId
    version: Version
    revision: Digest


class FeatureStore(Protocol):
    """Clean documents and embedded chunks. Applying anything twice or late changes nothing that a reader sees.

    One thread applies; any number read; one more may flush and do what is marked as housekeeping meanwhile.
    """

    def apply(self, changes: Sequence[FeatureChange]) -> None:
        """Apply one epoch: documents of one call differ; purges come last. Durable after `flush`.

        A change older than what is stored is dropped, and one of the same version that says something else: the first
        outcome of a version stays. A kill between any two writes shows no reader a mixture.

        Raises:
            FeaturesUnavailable: transient; repeat the whole epoch.
            PointRefused: one of the changes can never be written; repeat with fewer to learn which.
        """

    def listen(self) -> AbstractContextManager[Listener]:
        """Return a context in which a listener hears what this process applies."""

    def vectors_of(self, ids: Sequence[DocumentId]) -> Mapping[DocumentId, Mapping[Digest, Vector]]:
        """Return text hash -> vector of every stored chunk, in force or not, for each of these documents."""

    def search(self, query: FeatureQuery) -> list[FeatureHit]:
        """Return the best chunks in force; a hit whose record disagrees is dropped and the search widened once."""

    def records(self, ids: Sequence[DocumentId], *, with_text: bool = True) -> Mapping[DocumentId, DocumentRecord]:
        """Return the records that exist among `ids`; without their text for who only compares versions."""

    def find_records(
        self,
        *,
        status: RecordStatus | None = None,
        author: AuthorId | None = None,
        with_text: bool = True,
    ) -> Iterator[DocumentRecord]:
        """Iterate over records in id order."""

    def count_records(self, status: RecordStatus, authors: frozenset[AuthorId] | None = None) -> int:
        """Return how many records have this status, and one of these authors where some are given."""

    def chunks(self, document_id: DocumentId | None = None) -> Iterator[StoredChunk]:
        """Iterate over stored chunk points, of one document or all, in force or not."""

    def chunk_marks(self, documents: Sequence[DocumentId] | None = None) -> Iterator[ChunkMark]:
        """Iterate over stored chunk points, of these documents or all, in force or not. For the audit."""

    def count_chunks(self, authors: frozenset[AuthorId] | None = None) -> int:
        """Return how many chunk points are stored, by one of these authors where some are given."""

    def remove_chunks(self, ids: Sequence[str], up_to: Version) -> None:
        """Delete these chunk points unless they are newer than `up_to`. Housekeeping."""

    def forget_tombstones(self, before: Version) -> int:
        """Drop tombstones strictly older than `before`; return how many. Housekeeping."""

    def is_empty(self) -> bool:
        """Return whether everything is to be re-emitted: a store that is new or was lost.

        There is no record; or records say `indexed` and of prose or of code there is no chunk at all, as after a change
        of the spec.
        """

    def flush(self) -> None:
        """Make everything applied so far durable."""

    def optimize(self) -> None:
        """Rebuild indexes; may block readers for seconds. Housekeeping."""

    def close(self) -> None:
        """Flush and release the store. Idempotent."""

    def __enter__(self) -> Self:
        """Return the store; leaving closes it."""

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
