"""Rows of the document store as change events in their queues."""

from collections.abc import Iterable

from twin_cdc.window import Message
from twin_contracts.base import DocumentId
from twin_contracts.events import CLAIM_CHECK_BYTES, Cause, DocumentChanged, DocumentDeleted, DocumentInvalid, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_platform.documents.port import Change, DeletedDocument, InvalidDocument, Snapshot, StoredDocument


def event_of(change: Change, cause: Cause) -> DocumentChanged | DocumentDeleted | DocumentInvalid:
    """Return the event that tells this state; a body above the claim-check limit stays in the store."""
    identity = {"document_id": change.document_id, "version": change.version, "cause": cause}
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
            return DocumentInvalid.model_validate(
                {**identity, "content_hash": change.content_hash, "reason": change.reason}
            )
        case DeletedDocument():
            return DocumentDeleted.model_validate({**identity, "committed_at": change.committed_at})


def messages_of(changes: Iterable[Change], cause: Cause, lane: Lane, partitions: int) -> list[Message]:
    """Return each change's event with its queue."""
    return [(Queue(partition_of(change.document_id, partitions), lane), event_of(change, cause)) for change in changes]


def messages_of_snapshot(snapshot: Snapshot, cause: Cause, partitions: int) -> list[Message]:
    """Return the refill messages of a snapshot; an id that was absent is published as deleted at its version."""
    absent = [_absence(document_id, snapshot.version) for document_id in snapshot.absent]
    return messages_of([*snapshot.rows, *absent], cause, Lane.REFILL, partitions)


def _absence(document_id: DocumentId, version: Version) -> DeletedDocument:
    return DeletedDocument(document_id=document_id, version=version, committed_at=None)
