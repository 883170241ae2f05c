"""One batch of deliveries to feature changes: decode, newest per document, clean, chunk, reuse or embed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from twin_contracts.base import Digest, DocumentId
from twin_contracts.events import Purge
from twin_contracts.queues import Queue
from twin_contracts.records import DocumentRecord
from twin_feature_stream.budget import ByteBudget
from twin_feature_stream.decode import Decoder, DocumentEvent, redeem
from twin_feature_stream.errors import Failure
from twin_feature_stream.prepare import Prepared, PreparedChunk, State, prepare
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.documents.port import DocumentStore
from twin_platform.errors import PlatformError
from twin_platform.features.port import (
    ApplyDocument,
    ApplyPurge,
    ApplySlice,
    EmbeddedChunk,
    FeatureChange,
    FeatureStore,
    Vector,
)
from twin_platform.log.port import Delivery, Position
from twin_platform.telemetry.clock import Clock

SLICE_CHUNKS = 512
"""Most chunks in one slice, however many of them need no embedding."""


@dataclass(frozen=True, slots=True)
class Work:
    """One delivery to process in this epoch; where `slice_bytes` is set, only that much of its document."""

    delivery: Delivery
    slice_bytes: int | None = None


@dataclass
class _Sliced:
    """A document that takes several epochs."""

    prepared: Prepared
    vectors: Mapping[Digest, Vector]
    done: int = 0


@dataclass
class Process:
    """The flow's one computing step. Everything it writes is in the changes it returns, in any order but purges last.

    It keeps what is left of a sliced document between epochs; a crash forgets that, and the document begins again
    with the vectors it has stored so far. A batch is whole documents, or one slice alone.
    """

    registry: HandlerRegistry
    features: FeatureStore
    documents: DocumentStore
    decoder: Decoder
    budget: ByteBudget
    clock: Clock
    failure: Failure
    stop: Callable[[], bool]
    committing: list[datetime] = field(default_factory=list)
    """Commit times of the live documents that the coming commit makes searchable."""
    _sliced: dict[tuple[Queue, Position], _Sliced] = field(default_factory=dict)

    def __call__(self, batch: list[Work]) -> list[FeatureChange]:
        """Return the changes of one epoch; none after an error, which is handed over and ends the flow."""
        try:
            return self._process(batch)
        except PlatformError as error:
            self.failure.hand_over(error)
            return []

    def unfinished(self, delivery: Delivery) -> bool:
        """Return whether more of this delivery's document is left for the next epoch."""
        return (delivery.queue, delivery.position) in self._sliced

    def _process(self, batch: list[Work]) -> list[FeatureChange]:
        fresh = [work for work in batch if _key(work) not in self._sliced]
        changes, events = self._decode(fresh)
        sliced = {work.delivery.headers.document_id: work for work in fresh if work.slice_bytes is not None}
        whole: list[Prepared] = []
        for prepared in self._prepare(events):
            work = sliced.get(prepared.record.document_id)
            if work is None or not prepared.chunks:
                whole.append(prepared)
            else:
                vectors = self.features.vectors_of(prepared.record.document_id)
                self._sliced[_key(work)] = _Sliced(prepared, vectors)
        changes += self._embed_whole(whole)
        for work in batch:
            if _key(work) in self._sliced:
                changes.append(self._embed_slice(work))
        return changes

    def _decode(self, batch: Iterable[Work]) -> tuple[list[FeatureChange], list[DocumentEvent]]:
        changes: list[FeatureChange] = []
        newest: dict[DocumentId, DocumentEvent | DocumentRecord] = {}
        for work in batch:
            event = self.decoder(work.delivery)
            if isinstance(event, Purge):
                changes.append(ApplyPurge(work.delivery.queue.partition, event.before))
            elif event is not None and (
                event.document_id not in newest or newest[event.document_id].version <= event.version
            ):
                newest[event.document_id] = event
        changes += [ApplyDocument(item) for item in newest.values() if isinstance(item, DocumentRecord)]
        return changes, [item for item in newest.values() if not isinstance(item, DocumentRecord)]

    def _prepare(self, events: list[DocumentEvent]) -> list[Prepared]:
        """Drop what is older than its record, then clean and chunk the rest."""
        known = self.features.records([event.document_id for event in events], with_text=False)
        current = [
            event
            for event in events
            if event.document_id not in known or known[event.document_id].version <= event.version
        ]
        prepared = []
        for document_id, state in redeem(current, self.documents).items():
            if isinstance(state, State):
                prepared.append(prepare(state, known.get(document_id), self.registry))
            else:
                prepared.append(Prepared(state))
        return prepared

    def _embed_whole(self, documents: list[Prepared]) -> list[FeatureChange]:
        known = {
            document.record.document_id: self.features.vectors_of(document.record.document_id)
            for document in documents
            if document.chunks
        }
        missing = {
            chunk.payload.text_hash: chunk
            for document in documents
            for chunk in document.chunks
            if chunk.payload.text_hash not in known[document.record.document_id]
        }
        fresh = self._embed(list(missing.values()))
        return [
            self._apply(document, _embedded(document.chunks, fresh, known.get(document.record.document_id, {})))
            for document in documents
        ]

    def _embed_slice(self, work: Work) -> FeatureChange:
        sliced = self._sliced[_key(work)]
        chunks, slice_bytes = sliced.prepared.chunks, work.slice_bytes or 1
        end, size, missing = sliced.done, 0, []
        while end < len(chunks) and end - sliced.done < SLICE_CHUNKS and size < slice_bytes:
            if chunks[end].payload.text_hash not in sliced.vectors:
                missing.append(chunks[end])
                size += len(chunks[end].embedded_text.encode())
            end += 1
        embedded = _embedded(chunks[sliced.done : end], self._embed(missing), sliced.vectors)
        sliced.done = end
        if end < len(chunks):
            return ApplySlice(embedded)
        del self._sliced[_key(work)]
        return self._apply(sliced.prepared, embedded)

    def _apply(self, document: Prepared, chunks: tuple[EmbeddedChunk, ...]) -> ApplyDocument:
        if document.committed_at is not None:
            self.committing.append(document.committed_at)
        return ApplyDocument(document.record, chunks)

    def _embed(self, chunks: list[PreparedChunk]) -> dict[Digest, Vector]:
        """Embed chunks of any documents together, each type by its own handler."""
        vectors: dict[Digest, Vector] = {}
        by_type: dict[str, list[PreparedChunk]] = {}
        for chunk in chunks:
            by_type.setdefault(chunk.payload.metadata.type, []).append(chunk)
        for group in by_type.values():
            texts = [chunk.embedded_text for chunk in group]
            began = self.clock.monotonic()
            embedded = self.registry.embed(group[0].payload.metadata.type)(texts, self.stop)
            self.budget.embedded(sum(len(text.encode()) for text in texts), self.clock.monotonic() - began)
            vectors.update(zip((chunk.payload.text_hash for chunk in group), embedded, strict=True))
        return vectors


def _embedded(chunks: Iterable[PreparedChunk], *sources: Mapping[Digest, Vector]) -> tuple[EmbeddedChunk, ...]:
    vectors = dict(chain.from_iterable(source.items() for source in reversed(sources)))
    return tuple(EmbeddedChunk(chunk.id, chunk.payload, vectors[chunk.payload.text_hash]) for chunk in chunks)


def _key(work: Work) -> tuple[Queue, Position]:
    return work.delivery.queue, work.delivery.position
