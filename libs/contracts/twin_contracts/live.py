"""What `GET /v1/events` tells while it happens."""

from pydantic import NonNegativeInt

from twin_contracts.base import AuthorId, Contract, DocumentId, Text
from twin_contracts.records import DocumentRecord, RecordStatus, Stage


class DocumentNews(Contract):
    """Data of an event named like its `status`: what became of a document just now.

    Told at least once after the snapshots have it; an older one may come late. What holds, the document's status says.
    """

    document_id: DocumentId
    status: RecordStatus
    author: AuthorId | None = None
    """None where nobody knows any more whose it was."""
    title: Text | None = None
    chunks: NonNegativeInt = 0
    stage: Stage | None = None
    reason: Text | None = None

    @classmethod
    def of(cls, record: DocumentRecord, before: DocumentRecord | None) -> "DocumentNews":
        """Return the news of a record; of a tombstone, `before` knows whose document it was."""
        metadata = record.metadata or (before.metadata if before else None)
        return cls(
            document_id=record.document_id,
            status=record.status,
            author=metadata.author if metadata else None,
            title=metadata.title if metadata else None,
            chunks=record.chunks,
            stage=record.stage,
            reason=record.reason,
        )
