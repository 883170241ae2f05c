"""A document's status: what the store has, compared by content hash with what the snapshots have."""

from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw, content_hash, title_of
from twin_contracts.http import DocumentState, DocumentStatus
from twin_contracts.records import DocumentRecord, RecordStatus

_UNSTORED_STATES = frozenset({RecordStatus.REJECTED, RecordStatus.PARKED})
"""Of a document that the store holds and cannot read: its record says why."""


def status_of(document_id: DocumentId, stored: Raw | None, record: DocumentRecord | None) -> DocumentStatus | None:
    """Return the status, or None where neither side has the document.

    `pending` means that the snapshots do not have yet what the store has; also that a deletion is on its way.
    """
    if stored is None:
        return _status_without_document(document_id, record)
    digest = content_hash(stored)
    known = record if record is not None and record.content_hash == digest else None
    return DocumentStatus(
        document_id=document_id,
        status=DocumentState(known.status.value) if known else DocumentState.PENDING,
        content_hash=digest,
        committed_at=stored.committed_at,
        title=title_of(stored),
        author=stored.author.id,
        type=stored.type,
        platform=stored.source.platform,
        url=stored.source.url,
        captured=True if known else None,
        chunks=known.chunks if known else 0,
        stage=known.stage if known else None,
        reason=known.reason if known else None,
    )


def _status_without_document(document_id: DocumentId, record: DocumentRecord | None) -> DocumentStatus | None:
    if record is None or record.status is RecordStatus.DELETED:
        return None
    if record.status in _UNSTORED_STATES:
        state = DocumentState(record.status.value)
        return DocumentStatus(
            document_id=document_id, status=state, captured=True, stage=record.stage, reason=record.reason
        )
    return DocumentStatus(
        document_id=document_id, status=DocumentState.PENDING, reason="deleted; its chunks are being removed"
    )
