"""Port: the store of raw documents and the feed of its committed changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from twin_contracts.base import AuthorId, Digest, DocumentId
from twin_contracts.documents import AuthorRef, DocumentType, Raw
from twin_contracts.events import Version


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did. `changed` is False where the store already held this content: nothing was written."""

    content_hash: Digest
    changed: bool


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as of `version`. `document` is None where the change feed saw no body (a claim check)."""

    document_id: DocumentId
    version: Version
    committed_at: datetime | None
    content_hash: Digest | None
    size: int
    document: Raw | None


@dataclass(frozen=True, slots=True)
class InvalidDocument:
    """Something under this id that is no raw document; the hash is of its stored bytes."""

    document_id: DocumentId
    version: Version
    content_hash: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class DeletedDocument:
    """The document is gone as of `version`."""

    document_id: DocumentId
    version: Version
    committed_at: datetime | None


Row = StoredDocument | InvalidDocument
Change = Row | DeletedDocument


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows read at one moment of the store. Every row carries `version`, which no later write can share."""

    rows: tuple[Row, ...]
    absent: tuple[DocumentId, ...]
    version: Version


@dataclass(frozen=True, slots=True)
class AuthorCount:
    """An author and how many documents of theirs the store holds."""

    author: AuthorRef
    documents: int


class ChangeFeed(Protocol):
    """Committed changes after a position, oldest first; the newest state of a document may stand for earlier ones."""

    def read(self, limit: int, wait: float) -> list[Change]:
        """Return up to `limit` changes; block up to `wait` seconds for the first, then return an empty list.

        Raises:
            PositionLost: changes since the position are no longer known; only a re-emission of everything helps.
            StoreUnavailable: transient.
        """

    def position(self) -> str:
        """Return the position after the last change handed out; it advances while the store is quiet, too."""

    def close(self) -> None:
        """Release what the feed holds. Idempotent."""


class DocumentStore(Protocol):
    """Raw documents, one per id. A write that returned is durable and will appear in the change feed."""

    def upsert(self, document: Raw) -> Upserted:
        """Write unless the content is what the store holds; stamps `committed_at`. Idempotent.

        Raises:
            DocumentTooLarge: above 8 MiB serialised; nothing was written.
            StoreUnavailable: transient; whether it was written is unknown, and repeating is harmless.
        """

    def replace(self, document: Raw, held: Digest) -> bool:
        """Write only while the store holds the content with this hash; False where it was changed or deleted meanwhile.

        Raises:
            DocumentTooLarge, StoreUnavailable: as for `upsert`.
        """

    def get(self, document_id: DocumentId) -> Raw | None:
        """Return the document, or None where there is none or what is stored is not valid."""

    def author_of(self, document_id: DocumentId) -> AuthorId | None:
        """Return whose document it is without reading it: as fast for a large one as for none, which is None."""

    def delete(self, document_id: DocumentId) -> bool:
        """Remove the document; False where there was none."""

    def find(
        self,
        *,
        author: AuthorId | None = None,
        type: DocumentType | None = None,  # noqa: A002 - the contract's own field name
        after: DocumentId | None = None,
        limit: int = 100,
    ) -> list[Raw]:
        """Return documents in id order after `after`."""

    def authors(self) -> list[AuthorCount]:
        """Return every author with a document, by id."""

    def count(self) -> int:
        """Return how many documents the store holds."""

    def hashes(self, after: DocumentId | None, limit: int) -> list[tuple[DocumentId, Digest]]:
        """Return (id, content hash) in id order; empty means the end. What an audit compares."""

    def read(self, ids: Sequence[DocumentId], at_least: Version | None = None) -> Snapshot:
        """Return the present state of `ids` at one moment, not before `at_least`. Order of rows is unspecified."""

    def scan(self, after: DocumentId | None, limit: int) -> Snapshot:
        """Return the next rows in id order at one moment; no rows means the end, a short reply does not."""

    def changes(self, position: str | None) -> ChangeFeed:
        """Open the feed after `position`; None means from now on.

        Raises:
            PositionLost: as for `ChangeFeed.read`. Whatever the store commits from then on is later than `position`,
                also where it was restored from a backup that had not come so far.
        """

    def captured(self, position: str) -> bool:
        """Return whether nothing was committed after this feed position: a feed there would have nothing to read."""

    def headroom(self, position: str) -> float | None:
        """Return seconds of writing that the store may still forget before `position` is lost. For a figure only.

        None where it forgets otherwise, or does not say; raises nothing.
        """

    def forget_deletions(self, before: datetime) -> int:
        """Drop what is kept of deletions committed before this moment; return how many. Housekeeping."""

    def compact(self) -> bool:
        """Give back a step of disk space that is no longer used; False where nothing is left to give. Housekeeping."""

    def close(self) -> None:
        """Release the store. Idempotent."""

    def __enter__(self) -> Self:
        """Return the store; leaving closes it."""

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
