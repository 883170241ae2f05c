"""One batch of deliveries to feature changes, in two stages: decode, clean and chunk; then reuse or embed.

The stages share nothing but the batch that goes from one to the other, so that the next batch is in the first while
this one is in the second.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from twin_contracts.base import Digest, DocumentId
from twin_contracts.events import Cause, DocumentChanged, Purge
from twin_contracts.queues import Queue
from twin_contracts.records import DocumentRecord
from twin_feature_stream.budget import Budgets
from twin_feature_stream.decode import Decoder, DocumentEvent, redeem
from twin_feature_stream.prepare import Prepared, PreparedChunk, State, prepare
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.status import FlowStatus
from twin_platform.documents.port import DocumentStore
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


@dataclass(frozen=True, slots=True)
class Slice:
    """The next chunks of a document that takes several epochs; the last slice brings the record."""

    chunks: list[PreparedChunk]
    vectors: Mapping[Digest, Vector]
    """Those that the store held when the document's first slice was prepared."""
    document: Prepared | None


@dataclass(frozen=True, slots=True)
class Batch:
    """An epoch between its two stages: everything about it but the vectors."""

    changes: list[FeatureChange]
    """What needs no vector."""
    documents: list[Prepared]
    slices: list[Slice]
    finished: list[Delivery]
    """Deliveries of which nothing is left once this epoch is committed."""


@dataclass(frozen=True, slots=True)
class Computed:
    """An epoch ready to be committed."""

    changes: list[FeatureChange]
    """In any order but purges last."""
    committed_at: list[datetime]
    """When the store committed the live documents that this epoch makes searchable."""


@dataclass
class _Sliced:
    prepared: Prepared
    vectors: Mapping[Digest, Vector]
    done: int = 0


@dataclass
class Process:
    """The flow's computing. A batch is whole documents, or one slice alone.

    Between epochs it keeps what is left of a sliced document; a crash forgets that, and the document begins again with
    the vectors it has stored so far.
    """

    registry: HandlerRegistry
    features: FeatureStore
    documents: DocumentStore
    decoder: Decoder
    budgets: Budgets
    clock: Clock
    stop: Callable[[], bool]
    status: FlowStatus = field(default_factory=FlowStatus)
    _sliced: dict[tuple[Queue, Position], _Sliced] = field(default_factory=dict)
    _replayed: set[DocumentId] = field(default_factory=set)
    """Parked ones to try again, whatever cause a newer event has; their records may lag an epoch behind."""

    def prepare(self, works: list[Work]) -> Batch:
        """Decode, drop what is older than its record, clean and chunk. Called for one epoch after the other."""
        fresh = [work for work in works if _key(work) not in self._sliced]
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
        slices = [self._slice(work) for work in works if _key(work) in self._sliced]
        finished = [work.delivery for work in works if _key(work) not in self._sliced]
        return Batch(changes, whole, slices, finished)

    def embed(self, batch: Batch) -> Computed:
        """Give every chunk its vector: the one that its document's present chunks hold, else a new one."""
        changes = batch.changes + self._embed_whole(batch.documents)
        for part in batch.slices:
            vectors = self._embed([chunk for chunk in part.chunks if chunk.payload.text_hash not in part.vectors])
            embedded = _embedded(part.chunks, vectors, part.vectors)
            changes.append(ApplyDocument(part.document.record, embedded) if part.document else ApplySlice(embedded))
        documents = [*batch.documents, *(part.document for part in batch.slices if part.document)]
        return Computed(changes, [document.committed_at for document in documents if document.committed_at])

    def unfinished(self, delivery: Delivery) -> bool:
        """Return whether a slice of this delivery's document is left for another epoch."""
        return (delivery.queue, delivery.position) in self._sliced

    def _decode(self, batch: Iterable[Work]) -> tuple[list[FeatureChange], list[DocumentEvent]]:
        changes: list[FeatureChange] = []
        newest: dict[DocumentId, DocumentEvent | DocumentRecord] = {}
        for work in batch:
            event = self.decoder(work.delivery)
            if isinstance(event, Purge):
                changes.append(ApplyPurge(work.delivery.queue.partition, event.before))
                continue
            if isinstance(event, DocumentChanged) and event.cause is Cause.REPLAY:
                self._replayed.add(event.document_id)
            if event is not None and (
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
                parked = None if document_id in self._replayed else known.get(document_id)
                prepared.append(prepare(state, parked, self.registry))
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
            ApplyDocument(
                document.record, _embedded(document.chunks, fresh, known.get(document.record.document_id, {}))
            )
            for document in documents
        ]

    def _slice(self, work: Work) -> Slice:
        """Cut off the next chunks that together have `slice_bytes` of text to embed."""
        sliced = self._sliced[_key(work)]
        chunks, slice_bytes = sliced.prepared.chunks, work.slice_bytes or 1
        begin = end = sliced.done
        size = 0
        while end < len(chunks) and end - begin < SLICE_CHUNKS and size < slice_bytes:
            if chunks[end].payload.text_hash not in sliced.vectors:
                size += len(chunks[end].embedded_text.encode())
            end += 1
        sliced.done = end
        if end < len(chunks):
            return Slice(chunks[begin:end], sliced.vectors, None)
        del self._sliced[_key(work)]
        return Slice(chunks[begin:end], sliced.vectors, sliced.prepared)

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
            self.budgets.embedded(sum(len(text.encode()) for text in texts), self.clock.monotonic() - began)
            self.status.chunks_embedded += len(texts)
            vectors.update(zip((chunk.payload.text_hash for chunk in group), embedded, strict=True))
        return vectors


def _embedded(chunks: Iterable[PreparedChunk], *sources: Mapping[Digest, Vector]) -> tuple[EmbeddedChunk, ...]:
    vectors = dict(chain.from_iterable(source.items() for source in reversed(sources)))
    return tuple(EmbeddedChunk(chunk.id, chunk.payload, vectors[chunk.payload.text_hash]) for chunk in chunks)


def _key(work: Work) -> tuple[Queue, Position]:
    return work.delivery.queue, work.delivery.position
