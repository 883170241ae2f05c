"""How far cdc has published the change feed: it alone writes that, others ask whether something is still to come."""

from twin_contracts.base import Contract, DocumentId, Text
from twin_platform.documents.port import DocumentStore
from twin_platform.records.port import Collection, RecordStore

SOURCE = "documents"
"""The one source that cdc tails; names its position record and its exclusive right."""


class FeedPosition(Contract):
    """Where the feed continues after a restart.

    A token taken anew and the re-emission that it owes are one put: whatever changed before the token is covered by
    the re-emission, whatever changes after it by the feed.
    """

    token: Text
    owed: DocumentId | None = None
    owed_reason: Text = ""


POSITIONS = Collection("cdc-positions", FeedPosition)


def is_captured(documents: DocumentStore, records: RecordStore) -> bool:
    """Return whether cdc has published everything that the store has committed."""
    stored = records.get(POSITIONS, SOURCE)
    return stored is not None and stored.record.owed is None and documents.captured(stored.record.token)
