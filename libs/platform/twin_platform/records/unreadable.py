"""Where messages are kept that nobody could decode and whose headers name no document, until a person looks."""

from collections.abc import Iterator

from twin_contracts.base import Contract, Instant, Text
from twin_platform.records.port import Collection, RecordStore, Stored


class UnreadableMessage(Contract):
    """A message as it came, and where."""

    queue: Text
    body_base64: Text
    received_at: Instant


UNREADABLE = Collection("unreadable", UnreadableMessage)

_PAGE = 8
"""Messages read at a time; one may have megabytes."""


def unreadable_messages(records: RecordStore) -> Iterator[Stored[UnreadableMessage]]:
    """Iterate over what is kept, in key order."""
    after: str | None = None
    while page := records.find(UNREADABLE, after=after, limit=_PAGE):
        yield from page
        after = page[-1].key
