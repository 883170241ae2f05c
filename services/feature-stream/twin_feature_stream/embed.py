"""The second stage of a batch: every chunk gets its vector, the one that its document has stored, or a new one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from twin_contracts.base import Digest, DocumentId
from twin_contracts.events import Version
from twin_contracts.records import DocumentRecord, RecordStatus, Stage
from twin_feature_stream.batch import Batch, Computed, Slice
from twin_feature_stream.budget import Budgets
from twin_feature_stream.errors import blames_document
from twin_feature_stream.parked import refused, told
from twin_feature_stream.prepare import Prepared, PreparedChunk
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.status import FlowStatus
from twin_platform.features.port import ApplyDocument, ApplySlice, EmbeddedChunk, FeatureChange, FeatureStore, Vector
from twin_platform.telemetry.clock import Clock

_Vectors = Mapping[Digest, Vector]


@dataclass
class Embedding:
    """What happens to a prepared batch. A document that the embedder trips over is parked, its neighbours are not."""

    registry: HandlerRegistry
    features: FeatureStore
    budgets: Budgets
    clock: Clock
    stop: Callable[[], bool]
    status: FlowStatus = field(default_factory=FlowStatus)
    _given_up: dict[tuple[DocumentId, Version], DocumentRecord] = field(default_factory=dict)
    """Documents in slices of which an earlier slice failed."""

    def embed(self, batch: Batch) -> Computed:
        """Return the epoch's changes. Called for one epoch after the other."""
        before = self.status.chunks_embedded
        whole = self._whole(batch.documents)
        changes: list[FeatureChange] = [*batch.changes, *whole, *(self._slice(part) for part in batch.slices)]
        embedded = self.status.chunks_embedded - before
        documents = [*batch.documents, *(part.document for part in batch.slices if part.is_last)]
        return Computed(changes, _made_searchable(documents, changes), embedded)

    def _whole(self, documents: list[Prepared]) -> list[ApplyDocument]:
        known = self.features.vectors_of([_id(one) for one in documents if one.chunks])
        missing = {
            chunk.payload.text_hash: chunk
            for document in documents
            for chunk in document.chunks
            if chunk.payload.text_hash not in known[_id(document)]
        }
        try:
            fresh = self._embed(missing.values())
        except BaseException as error:
            if not blames_document(error):
                raise
            return [self._alone(document, known.get(_id(document), {})) for document in documents]
        return [_applied(document, fresh, known.get(_id(document), {})) for document in documents]

    def _alone(self, document: Prepared, known: _Vectors) -> ApplyDocument:
        """Embed one document of a batch that failed; what fails once more is this document's doing."""
        try:
            return _applied(document, self._embed(_missing(document.chunks, known)), known)
        except BaseException as error:
            if not blames_document(error):
                raise
            return ApplyDocument(_parked(document, error))

    def _slice(self, part: Slice) -> ApplyDocument | ApplySlice:
        key = _id(part.document), part.document.record.version
        try:
            vectors = {} if key in self._given_up else self._embed(_missing(part.chunks, part.vectors))
        except BaseException as error:
            if not blames_document(error):
                raise
            self._given_up[key] = _parked(part.document, error)
        parked = self._given_up.pop(key, None) if part.is_last else self._given_up.get(key)
        if parked is not None:
            return ApplyDocument(parked)
        chunks = _embedded(part.chunks, vectors, part.vectors)
        return ApplyDocument(part.document.record, chunks) if part.is_last else ApplySlice(chunks)

    def _embed(self, chunks: Iterable[PreparedChunk]) -> dict[Digest, Vector]:
        """Embed chunks of any documents together, each type by its own handler."""
        vectors: dict[Digest, Vector] = {}
        by_type: dict[str, list[PreparedChunk]] = {}
        for chunk in chunks:
            by_type.setdefault(chunk.payload.metadata.type, []).append(chunk)
        for group in by_type.values():
            texts = [chunk.embedded_text for chunk in group]
            began = self.clock.monotonic()
            embedded = self.registry.embed(group[0].payload.metadata.type)(texts, self.stop)
            self.budgets.embedded(sum(len(text.encode()) for text in texts), self.clock.monotonic() - began)
            self.status.embedded(len(texts))
            vectors.update(zip((chunk.payload.text_hash for chunk in group), embedded, strict=True))
        return vectors


def _missing(chunks: Iterable[PreparedChunk], known: _Vectors) -> list[PreparedChunk]:
    return [chunk for chunk in chunks if chunk.payload.text_hash not in known]


def _applied(document: Prepared, fresh: _Vectors, known: _Vectors) -> ApplyDocument:
    return ApplyDocument(document.record, _embedded(document.chunks, fresh, known))


def _embedded(chunks: Iterable[PreparedChunk], *sources: _Vectors) -> tuple[EmbeddedChunk, ...]:
    return tuple(EmbeddedChunk(chunk.id, chunk.payload, _vector(chunk.payload.text_hash, sources)) for chunk in chunks)


def _vector(text_hash: Digest, sources: Iterable[_Vectors]) -> Vector:
    """Return the first source's that has one; to join them would cost each document an epoch's length."""
    return next(source[text_hash] for source in sources if text_hash in source)


def _parked(document: Prepared, error: BaseException) -> DocumentRecord:
    return refused(document.record, RecordStatus.PARKED, Stage.EMBED, told(error))


def _made_searchable(documents: Iterable[Prepared], changes: Iterable[FeatureChange]) -> list[datetime]:
    applied = (change.record for change in changes if isinstance(change, ApplyDocument))
    indexed = {record.document_id for record in applied if record.status is RecordStatus.INDEXED}
    return [one.committed_at for one in documents if one.committed_at and _id(one) in indexed]


def _id(document: Prepared) -> DocumentId:
    return document.record.document_id
