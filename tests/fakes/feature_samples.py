"""Small documents for tests of the feature store, named by a word and made of a few texts."""

from collections.abc import Sequence
from dataclasses import replace

from fakes.embedding import HashEmbedder
from twin_contracts.documents import DocumentType, document_id_of
from twin_contracts.events import Version
from twin_contracts.queues import partition_of
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
from twin_platform.features.port import ApplyDocument, ApplySlice, EmbeddedChunk, FeatureHit, FeatureQuery, FeatureStore

EMBEDDER = HashEmbedder(dimension=64)
PIPELINE = text_hash_of("pipeline")
BLOG = Metadata(type=DocumentType.ARTICLE, author="ada", author_name="Ada", platform="blog")
POST = BLOG.model_copy(update={"type": DocumentType.POST, "platform": "forum"})
CODE = BLOG.model_copy(update={"type": DocumentType.CODE, "platform": "git"})


def version(seconds: int, increment: int = 0) -> Version:
    return Version(seconds=seconds, increment=increment)


def indexed(name: str, at: Version, texts: Sequence[str], metadata: Metadata = BLOG) -> ApplyDocument:
    """Return the change that makes the document consist of these texts; its revision follows from them."""
    content = text_hash_of("\x1f".join((name, metadata.model_dump_json(), *texts)))
    record = DocumentRecord(
        document_id=document_id_of(name),
        version=at,
        content_hash=content,
        pipeline=PIPELINE,
        revision=revision_of(content, PIPELINE),
        status=RecordStatus.INDEXED,
        chunks=len(texts),
        text="\n".join(texts),
        metadata=metadata,
    )
    return ApplyDocument(record, _chunks(record, texts, metadata))


def withdrawn(name: str, at: Version, status: RecordStatus) -> ApplyDocument:
    """Return the change that rejects, parks or deletes the document."""
    if status is RecordStatus.DELETED:
        return ApplyDocument(DocumentRecord.tombstone(document_id_of(name), at))
    content = text_hash_of(name + str(at))
    record = DocumentRecord(
        document_id=document_id_of(name),
        version=at,
        content_hash=content,
        pipeline=PIPELINE,
        revision=revision_of(content, PIPELINE),
        status=status,
        stage=Stage.CLEAN,
        reason="nothing is left of it",
    )
    return ApplyDocument(record)


def deleted(name: str, at: Version) -> ApplyDocument:
    return withdrawn(name, at, RecordStatus.DELETED)


def sliced(change: ApplyDocument, count: int) -> tuple[ApplySlice, ApplyDocument]:
    """Cut the first `count` chunks off, to be applied before the rest."""
    return ApplySlice(change.chunks[:count]), replace(change, chunks=change.chunks[count:])


def asked(text: str, limit: int = 50) -> FeatureQuery:
    return FeatureQuery(text=text, vector=EMBEDDER.embed_query(text), limit=limit)


def about(name: str, limit: int = 50) -> FeatureQuery:
    """Return a query that finds every chunk of the document that a reader may see."""
    return replace(asked("anything", limit), document_id=document_id_of(name))


def texts_of(hits: Sequence[FeatureHit]) -> set[str]:
    return {hit.payload.text for hit in hits}


def seen(store: FeatureStore, name: str) -> set[str]:
    """Return the texts of the document that a reader sees."""
    return texts_of(store.search(about(name)))


def stored(store: FeatureStore, name: str) -> list[str]:
    """Return the texts of every chunk point of the document, in force or not."""
    return sorted(chunk.payload.text for chunk in store.chunks(document_id_of(name)))


def names_in_partition(partition: int, partitions: int, count: int) -> list[str]:
    """Return names of documents that all belong to one partition."""
    names = (f"document-{number}" for number in range(count * partitions * 10))
    return [name for name in names if partition_of(document_id_of(name), partitions) == partition][:count]


def _chunks(record: DocumentRecord, texts: Sequence[str], metadata: Metadata) -> tuple[EmbeddedChunk, ...]:
    vectors = EMBEDDER.embed_documents(list(texts))
    return tuple(
        EmbeddedChunk(
            chunk_id_of(record.document_id, record.revision or "", text_hash_of(text), texts[:position].count(text)),
            ChunkPayload(
                document_id=record.document_id,
                version=record.version,
                revision=record.revision or "",
                text_hash=text_hash_of(text),
                position=position,
                text=text,
                metadata=metadata,
            ),
            vectors[position],
        )
        for position, text in enumerate(texts)
    )
