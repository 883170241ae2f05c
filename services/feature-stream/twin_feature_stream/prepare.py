"""One document's present state through clean and chunk: everything about its revision but the vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import Raw
from twin_contracts.events import Cause, Version
from twin_contracts.records import (
    ChunkPayload,
    DocumentRecord,
    Metadata,
    RecordStatus,
    Stage,
    chunk_id_of,
    revision_of,
    text_hash_of,
)
from twin_feature_stream.errors import blames_document
from twin_feature_stream.parked import refused, stays_parked, told
from twin_feature_stream.ports import Chunk, CleanDocument, Rejected
from twin_feature_stream.registry import HandlerRegistry


@dataclass(frozen=True, slots=True)
class State:
    """A document as of a version, whatever event or claim check told it."""

    document_id: DocumentId
    version: Version
    cause: Cause
    content_hash: Digest
    document: Raw
    committed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PreparedChunk:
    """A chunk that lacks only its vector."""

    id: str
    payload: ChunkPayload
    embedded_text: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A revision ready to be embedded: the record that will name it, and its chunks in order."""

    record: DocumentRecord
    chunks: list[PreparedChunk] = field(default_factory=list)
    committed_at: datetime | None = None
    """When the store committed it, for a live event; what freshness is measured from."""


def prepare(state: State, known: DocumentRecord | None, registry: HandlerRegistry) -> Prepared:
    """Run clean and chunk; a refusal or a handler's bug becomes the record's reason, neighbours are not touched.

    A parked revision stays parked unless it is replayed.
    """
    document_type = state.document.type
    pipeline = registry.pipeline(document_type)
    base = DocumentRecord(
        document_id=state.document_id,
        version=state.version,
        content_hash=state.content_hash,
        pipeline=pipeline,
        revision=revision_of(state.content_hash, pipeline),
        status=RecordStatus.INDEXED,
        metadata=_whose(state.document),
    )
    if known is not None and state.cause is not Cause.REPLAY and stays_parked(base, known, registry):
        return Prepared(known.model_copy(update={"version": state.version}))
    stage = Stage.CLEAN
    try:
        clean = registry.clean(document_type)(state.document)
        if isinstance(clean, Rejected):
            return Prepared(refused(base, RecordStatus.REJECTED, clean.stage, clean.reason))
        stage = Stage.CHUNK
        chunks = registry.chunk(document_type)(clean)
        record = base.model_copy(update={"chunks": len(chunks), "text": clean.text, "metadata": clean.metadata})
        return Prepared(record, _prepared_chunks(record, clean, chunks), state.committed_at)
    except BaseException as error:
        if not blames_document(error):
            raise
        return Prepared(refused(base, RecordStatus.PARKED, stage, told(error)))


def _whose(document: Raw) -> Metadata:
    """Return what the record of a refused document says of it, too: who may be told."""
    author = document.author
    return Metadata(type=document.type, author=author.id, author_name=author.name, platform=document.source.platform)


def _prepared_chunks(record: DocumentRecord, clean: CleanDocument, chunks: Sequence[Chunk]) -> list[PreparedChunk]:
    seen: dict[Digest, int] = {}
    prepared = []
    revision = record.revision or ""
    for position, chunk in enumerate(chunks):
        text = chunk.embedded_text
        text_hash = text_hash_of(text)
        occurrence = seen.get(text_hash, 0)
        seen[text_hash] = occurrence + 1
        payload = ChunkPayload(
            document_id=record.document_id,
            version=record.version,
            revision=revision,
            text_hash=text_hash,
            position=position,
            heading_path=chunk.heading_path,
            text=chunk.text,
            metadata=clean.metadata,
        )
        identity = chunk_id_of(record.document_id, revision, text_hash, occurrence)
        prepared.append(PreparedChunk(identity, payload, text))
    return prepared
