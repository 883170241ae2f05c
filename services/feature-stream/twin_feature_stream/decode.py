"""Deliveries as states: events decoded, the newest per document kept, claims redeemed."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from twin_contracts.base import DocumentId
from twin_contracts.events import (
    ZERO,
    Cause,
    DocumentChanged,
    DocumentDeleted,
    DocumentInvalid,
    Purge,
    Version,
)
from twin_contracts.records import DocumentRecord, RecordStatus, Stage
from twin_feature_stream.in_hand import event_id_of
from twin_feature_stream.prepare import State
from twin_platform.documents.port import DocumentStore, InvalidDocument, Row, StoredDocument
from twin_platform.log.codec import decode
from twin_platform.log.port import Delivery
from twin_platform.records.port import RecordStore
from twin_platform.records.unreadable import UNREADABLE, UnreadableMessage
from twin_platform.telemetry.clock import Clock

DocumentEvent = DocumentChanged | DocumentDeleted | DocumentInvalid


@dataclass(frozen=True, slots=True)
class Decoder:
    """Turns a delivery into an event, a record of what could not be read, or nothing but kept bytes."""

    records: RecordStore
    clock: Clock

    def __call__(self, delivery: Delivery) -> DocumentEvent | Purge | DocumentRecord | None:
        """Decode one delivery.

        Raises:
            NewerSchema: a newer release wrote it; the flow stops without acknowledging.
        """
        try:
            return decode(delivery.body)
        except ValidationError as error:
            headers = delivery.headers
            if headers.document_id is None or headers.version is None:
                self.keep(delivery)
                return None
            return DocumentRecord(
                document_id=headers.document_id,
                version=headers.version,
                content_hash=headers.content_hash,
                status=RecordStatus.REJECTED,
                stage=Stage.DECODE,
                reason=f"the event's body cannot be decoded: {error.errors()[0]['msg']}",
            )

    def keep(self, delivery: Delivery) -> None:
        """Keep as bytes what names no document; the same message once, however often it comes."""
        message = UnreadableMessage(
            queue=delivery.queue.name,
            body_base64=base64.b64encode(delivery.body).decode(),
            received_at=self.clock.now(),
        )
        self.records.put(UNREADABLE, event_id_of(delivery), message)


def redeem(events: Iterable[DocumentEvent], documents: DocumentStore) -> Mapping[DocumentId, State | DocumentRecord]:
    """Return each document's state, or the record that already says everything about it.

    Events without a body are claims: their documents are read in one go, at the events' versions or later; one that
    is not there counts as deleted at the version of that read.
    """
    states: dict[DocumentId, State | DocumentRecord] = {}
    claims: dict[DocumentId, DocumentChanged] = {}
    for event in events:
        match event:
            case DocumentChanged(after=None):
                claims[event.document_id] = event
            case DocumentChanged():
                states[event.document_id] = _state_of(event)
            case DocumentDeleted():
                states[event.document_id] = DocumentRecord.tombstone(event.document_id, event.version)
            case DocumentInvalid():
                states[event.document_id] = _invalid(event.document_id, event.version, event.content_hash, event.reason)
    if claims:
        states.update(_read(claims, documents))
    return states


def _state_of(event: DocumentChanged) -> State:
    assert event.after is not None  # noqa: S101 - the caller's case
    return State(
        document_id=event.document_id,
        version=event.version,
        cause=event.cause,
        content_hash=event.content_hash or "",
        document=event.after,
        committed_at=event.committed_at if event.cause is Cause.LIVE else None,
    )


def _read(
    claims: Mapping[DocumentId, DocumentChanged], documents: DocumentStore
) -> dict[DocumentId, State | DocumentRecord]:
    newest = max((claim.version for claim in claims.values()), default=ZERO)
    snapshot = documents.read(tuple(claims), at_least=newest)
    states: dict[DocumentId, State | DocumentRecord] = {
        document_id: DocumentRecord.tombstone(document_id, snapshot.version) for document_id in snapshot.absent
    }
    for row in snapshot.rows:
        states[row.document_id] = _state_of_row(row, claims[row.document_id])
    return states


def _state_of_row(row: Row, claim: DocumentChanged) -> State | DocumentRecord:
    match row:
        case StoredDocument(document=document) if document is not None:
            return State(
                document_id=row.document_id,
                version=row.version,
                cause=claim.cause,
                content_hash=row.content_hash or "",
                document=document,
                committed_at=row.committed_at if claim.cause is Cause.LIVE else None,
            )
        case InvalidDocument():
            return _invalid(row.document_id, row.version, row.content_hash, row.reason)
        case _:
            message = f"read() returned document {row.document_id!r} without its body"
            raise TypeError(message)


def _invalid(document_id: DocumentId, version: Version, content_hash: str, reason: str) -> DocumentRecord:
    return DocumentRecord(
        document_id=document_id,
        version=version,
        content_hash=content_hash,
        status=RecordStatus.REJECTED,
        stage=Stage.DECODE,
        reason=reason,
    )
