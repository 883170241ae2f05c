"""Errors of the document store."""

from twin_contracts.base import DocumentId
from twin_platform.errors import DatabaseUnavailable, PermanentError


class StoreUnavailable(DatabaseUnavailable):
    """The store did not answer; what was asked may or may not have happened."""

    holds = "the documents: restore it from a backup; without one, move the whole data folder away, and import again"


class DocumentTooLarge(PermanentError):
    """A document above what one change event can carry."""

    def __init__(self, document_id: DocumentId, size: int, limit: int) -> None:
        self.document_id, self.size, self.limit = document_id, size, limit
        super().__init__(
            f"document {document_id!r} has {size:,} bytes as JSON, its title and addresses included, more than the "
            f"{limit:,} of one document; split it"
        )


class PositionLost(PermanentError):
    """The change feed cannot continue from a position; everything must be re-emitted."""

    def __init__(self, position: str, why: str) -> None:
        self.position, self.why = position, why
        super().__init__(
            f"the change feed cannot continue from position {position!r}: {why}; everything will be re-emitted"
        )
