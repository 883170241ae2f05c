"""The first stage of a batch: decode, drop what is older than its record, clean and chunk."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from twin_contracts.base import Digest, DocumentId
from twin_contracts.events import Cause, DocumentChanged, Purge
from twin_contracts.queues import Queue
from twin_contracts.records import DocumentRecord
from twin_feature_stream.batch import Batch, Slice, Work
from twin_feature_stream.decode import Decoder, DocumentEvent, redeem
from twin_feature_stream.in_hand import PARKED_AT
from twin_feature_stream.parked import killer, stays_unread
from twin_feature_stream.prepare import Prepared, State, prepare
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.documents.port import DocumentStore
from twin_platform.features.port import ApplyDocument, ApplyPurge, FeatureChange, FeatureStore, Vector
from twin_platform.log.port import Delivery, Position

SLICE_CHUNKS = 512
"""Most chunks in one slice, however many of them need no embedding."""

_Records = Mapping[DocumentId, DocumentRecord]
_Key = tuple[Queue, Position]


@dataclass
class _Sliced:
    prepared: Prepared
    vectors: Mapping[Digest, Vector]
    done: int = 0


@dataclass
class Process:
    """What happens to a batch before it is embedded. A batch is whole documents, or one slice alone.

    Between epochs it keeps what is left of a sliced document; a crash forgets that, and the document begins again with
    the vectors it has stored so far.
    """

    registry: HandlerRegistry
    features: FeatureStore
    documents: DocumentStore
    decoder: Decoder
    _sliced: dict[_Key, _Sliced] = field(default_factory=dict)
    _replayed: dict[_Key, DocumentId] = field(default_factory=dict)
    """Parked ones to try again, whatever cause a newer event has; until they are committed their records are old."""
    _committed: deque[_Key] = field(default_factory=deque)
    """Told by the thread that commits."""

    def prepare(self, works: list[Work]) -> Batch:
        """Return what the batch comes to but for its vectors. Called for one epoch after the other."""
        while self._committed:
            self._replayed.pop(self._committed.popleft(), None)
        fresh = [work for work in works if work.key not in self._sliced]
        named = {work.delivery.headers.document_id for work in fresh}
        known = self._records(named)
        changes, events = self._read(fresh, known)
        unnamed = {event.document_id for event in events} - named  # somebody else's headers
        sliced = {work.delivery.headers.document_id: work for work in fresh if work.slice_bytes is not None}
        whole: list[Prepared] = []
        for prepared in self._prepare(events, {**known, **self._records(unnamed)}):
            work = sliced.get(prepared.record.document_id)
            if work is None or not prepared.chunks:
                whole.append(prepared)
            else:
                document_id = prepared.record.document_id
                self._sliced[work.key] = _Sliced(prepared, self.features.vectors_of([document_id])[document_id])
        slices = [self._slice(work) for work in works if work.key in self._sliced]
        finished = [work.delivery for work in works if work.key not in self._sliced]
        return Batch(changes, whole, slices, finished)

    def unfinished(self, delivery: Delivery) -> bool:
        """Return whether a slice of this delivery's document is left for another epoch."""
        return (delivery.queue, delivery.position) in self._sliced

    def committed(self, finished: Iterable[Delivery]) -> None:
        """Take note that the records tell the truth about these again. Called by any thread."""
        self._committed.extend((delivery.queue, delivery.position) for delivery in finished)

    def _read(self, works: list[Work], known: _Records) -> tuple[list[FeatureChange], list[DocumentEvent]]:
        """Return the newest of each document: the records that say everything, and the events to be processed."""
        changes: list[FeatureChange] = []
        newest: dict[DocumentId, DocumentEvent | DocumentRecord] = {}
        for work in works:
            event = self._decode(work, known)
            if isinstance(event, Purge):
                changes.append(ApplyPurge(work.delivery.queue.partition, event.before))
                continue
            if isinstance(event, DocumentChanged) and event.cause is Cause.REPLAY:
                self._replayed[work.key] = event.document_id
            if event is not None and (
                event.document_id not in newest or newest[event.document_id].version <= event.version
            ):
                newest[event.document_id] = event
        changes += [ApplyDocument(item) for item in newest.values() if isinstance(item, DocumentRecord)]
        return changes, [item for item in newest.values() if not isinstance(item, DocumentRecord)]

    def _decode(self, work: Work, known: _Records) -> DocumentEvent | Purge | DocumentRecord | None:
        """Decode, but for what has killed the process too often: its headers are all that is looked at."""
        headers = work.delivery.headers
        if work.deaths >= PARKED_AT:
            parked = killer(headers, self.registry)
            if parked is None:
                self.decoder.keep(work.delivery)
            return parked
        if headers.document_id in self._replayed.values():
            return self.decoder(work.delivery)
        return stays_unread(headers, known, self.registry) or self.decoder(work.delivery)

    def _prepare(self, events: list[DocumentEvent], known: _Records) -> list[Prepared]:
        """Drop what is older than its record, then clean and chunk the rest."""
        current = [
            event
            for event in events
            if event.document_id not in known or known[event.document_id].version <= event.version
        ]
        prepared = []
        replayed = set(self._replayed.values())
        for document_id, state in redeem(current, self.documents).items():
            if isinstance(state, State):
                parked = None if document_id in replayed else known.get(document_id)
                prepared.append(prepare(state, parked, self.registry))
            else:
                prepared.append(Prepared(state))
        return prepared

    def _records(self, ids: Iterable[DocumentId | None]) -> _Records:
        present = [one for one in ids if one is not None]
        return self.features.records(present, with_text=False) if present else {}

    def _slice(self, work: Work) -> Slice:
        """Cut off the next chunks that together have `slice_bytes` of text to embed."""
        sliced = self._sliced[work.key]
        chunks, slice_bytes = sliced.prepared.chunks, work.slice_bytes or 1
        begin = end = sliced.done
        size = 0
        while end < len(chunks) and end - begin < SLICE_CHUNKS and size < slice_bytes:
            if chunks[end].payload.text_hash not in sliced.vectors:
                size += len(chunks[end].embedded_text.encode())
            end += 1
        sliced.done = end
        if end == len(chunks):
            del self._sliced[work.key]
        return Slice(sliced.prepared, chunks[begin:end], sliced.vectors, is_last=end == len(chunks))
