"""Rows of the document store as change events in their queues."""

from collections.abc import Iterable

from twin_cdc.window import Message
from twin_contracts.base import DocumentId
from twin_contracts.documents import told_id
from twin_contracts.events import CLAIM_CHECK_BYTES, Cause, DocumentChanged, DocumentDeleted, DocumentInvalid, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_platform.documents.port import Change, DeletedDocument, InvalidDocument, Snapshot, StoredDocument

_REASON_LENGTH = 2000


def event_of(change: Change, cause: Cause) -> DocumentChanged | DocumentDeleted | DocumentInvalid:
    """Return the event that tells this state; a body above the claim-check limit stays in the store.

    What is stored under something that is no document id is told under an id derived from it.
    """
    document_id, told = told_id(change.document_id), ""
    if document_id != change.document_id:
        told = f"stored under {change.document_id!r}, which is no document id; "
    identity = {"document_id": document_id, "version": change.version, "cause": cause}
    match change:
        case StoredDocument():
            return DocumentChanged.model_validate(
                {
                    **identity,
                    "committed_at": change.committed_at,
                    "content_hash": change.content_hash,
                    "size": change.size,
                    "after": change.document if change.size <= CLAIM_CHECK_BYTES else None,
                }
            )
        case InvalidDocument():
            reason = (told + change.reason)[:_REASON_LENGTH]
            return DocumentInvalid.model_validate({**identity, "content_hash": change.content_hash, "reason": reason})
        case DeletedDocument():
            return DocumentDeleted.model_validate({**identity, "committed_at": change.committed_at})


def messages_of(changes: Iterable[Change], cause: Cause, lane: Lane, partitions: int) -> list[Message]:
    """Return each change's event with its queue."""
    events = [event_of(change, cause) for change in changes]
    return [(Queue(partition_of(event.document_id, partitions), lane), event) for event in events]


def messages_of_snapshot(snapshot: Snapshot, cause: Cause, partitions: int) -> list[Message]:
    """Return the refill messages of a snapshot; an id that was absent is published as deleted at its version."""
    absent = [_absence(document_id, snapshot.version) for document_id in snapshot.absent]
    return messages_of([*snapshot.rows, *absent], cause, Lane.REFILL, partitions)


def _absence(document_id: DocumentId, version: Version) -> DeletedDocument:
    return DeletedDocument(document_id=document_id, version=version, committed_at=None)
