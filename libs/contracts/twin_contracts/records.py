"""The two snapshots' payloads: one record per document, one payload per chunk."""

import hashlib
from enum import StrEnum

from pydantic import NonNegativeInt

from twin_contracts.base import AuthorId, Contract, Digest, DocumentId, Instant, Text, uuid_of
from twin_contracts.documents import DocumentType
from twin_contracts.events import Version


class RecordStatus(StrEnum):
    """What became of a document's newest version."""

    INDEXED = "indexed"
    REJECTED = "rejected"
    PARKED = "parked"
    DELETED = "deleted"


class Stage(StrEnum):
    """Stages of the flow that a handler is registered for, or that can refuse a document."""

    DECODE = "decode"
    CLEAN = "clean"
    CHUNK = "chunk"
    EMBED = "embed"
    SINK = "sink"


class Metadata(Contract):
    """What both snapshots know about a document besides its text."""

    type: DocumentType
    author: AuthorId
    author_name: Text
    platform: Text
    title: Text | None = None
    url: Text | None = None
    language: Text | None = None
    quality: float | None = None
    """Set by the quality gate where one is registered; between 0 and 1."""
    published_at: Instant | None = None


class DocumentRecord(Contract):
    """The truth about one document in the feature store: which revision of it readers may see.

    A chunk counts only if its document's record is `indexed` and names the chunk's revision.
    """

    document_id: DocumentId
    version: Version
    content_hash: Digest | None = None
    """None for a tombstone."""
    pipeline: Digest | None = None
    revision: Digest | None = None
    status: RecordStatus
    stage: Stage | None = None
    reason: Text | None = None
    chunks: NonNegativeInt = 0
    text: Text | None = None
    """The clean text; None unless indexed."""
    metadata: Metadata | None = None

    @classmethod
    def tombstone(cls, document_id: DocumentId, version: Version) -> "DocumentRecord":
        """Return the record of a deleted document: nothing of it is kept but that it is gone as of `version`."""
        return cls(document_id=document_id, version=version, status=RecordStatus.DELETED)


class ChunkPayload(Contract):
    """One chunk as retrieval sees it."""

    document_id: DocumentId
    version: Version
    revision: Digest
    text_hash: Digest
    """Of exactly the text given to the embedder, heading path included."""
    position: NonNegativeInt
    heading_path: tuple[Text, ...] = ()
    text: Text
    metadata: Metadata


def revision_of(content_hash: Digest, pipeline: Digest) -> Digest:
    """Return what a set of chunks was made from: this content by this pipeline."""
    return hashlib.sha256(f"{content_hash}\x1f{pipeline}".encode()).hexdigest()


def text_hash_of(embedded_text: str) -> Digest:
    """Return the hash under which a vector may be reused."""
    return hashlib.sha256(embedded_text.encode()).hexdigest()


def chunk_id_of(document_id: DocumentId, revision: Digest, text_hash: Digest, occurrence: int) -> str:
    """Return a chunk's point id; `occurrence` counts equal texts inside one revision, from 0."""
    return uuid_of("chunk", document_id, revision, text_hash, str(occurrence))
