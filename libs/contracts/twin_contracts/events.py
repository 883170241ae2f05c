"""Change events: whole states with a version, so that lateness and repetition are harmless."""

from datetime import datetime
from enum import StrEnum
from functools import total_ordering
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, StringConstraints, TypeAdapter

from twin_contracts.base import Contract, Digest, DocumentId, Instant, Text, uuid_of
from twin_contracts.documents import RawDocument

CLAIM_CHECK_BYTES = 64 * 1024
"""A body above this size stays in the document store; the event carries only the claim to it."""

EventId = DocumentId
SCHEMA_VERSION: Literal[1] = 1


@total_ordering
class Version(Contract):
    """A commit's place in the document store; compared as a pair, never shown as a time.

    MongoDB: `clusterTime`. It may stay in one second, with large increments, while a clock is behind,
    which is why the two integers are never folded into one timestamp.
    """

    seconds: NonNegativeInt
    increment: NonNegativeInt

    def __lt__(self, other: "Version") -> bool:
        """Order as the pair (seconds, increment)."""
        return (self.seconds, self.increment) < (other.seconds, other.increment)

    def __str__(self) -> str:
        """Return `seconds.increment`, as ids and logs show it."""
        return f"{self.seconds}.{self.increment}"

    @classmethod
    def after(cls, last: "Version", now: datetime) -> Self:
        """Return the next version for a store that allocates its own: (now, 0), or just past `last` if later."""
        fresh = cls(seconds=max(0, int(now.timestamp())), increment=0)
        if last < fresh:
            return fresh
        return cls(seconds=last.seconds, increment=last.increment + 1)


ZERO = Version(seconds=0, increment=0)
"""Older than every commit."""


class Cause(StrEnum):
    """Why an event was published. Live events go before refill; a replay also tries again what was parked."""

    LIVE = "live"
    REFILL = "refill"
    REPLAY = "replay"


class _DocumentEvent(Contract):
    schema_version: Literal[1] = SCHEMA_VERSION
    document_id: DocumentId
    version: Version
    cause: Cause

    @property
    def event_id(self) -> EventId:
        """Identity of this event: the same change published twice has the same id."""
        return uuid_of("event", self.document_id, str(self.version), self.cause)


class DocumentChanged(_DocumentEvent):
    """The document has this content as of `version`.

    `after` is None where the body is above `CLAIM_CHECK_BYTES` or the change was part of a transaction: the
    consumer reads the document itself, at `version` or later; one that is not there counts as deleted then.
    """

    event: Literal["changed"] = "changed"
    committed_at: Instant | None = None
    content_hash: Digest | None = None
    """None with `after` None where the change feed saw no body."""
    size: NonNegativeInt = 0
    """Bytes of the serialised document; what flow control counts, even where the body stayed behind."""
    after: RawDocument | None = None


class DocumentDeleted(_DocumentEvent):
    """The document is not there as of `version`."""

    event: Literal["deleted"] = "deleted"
    committed_at: Instant | None = None


class DocumentInvalid(_DocumentEvent):
    """What the store holds under this id is no raw document; `content_hash` is of its stored bytes."""

    event: Literal["invalid"] = "invalid"
    content_hash: Digest
    reason: Annotated[Text, StringConstraints(max_length=2000)]


class Purge(Contract):
    """End of a re-emission in one partition: a record strictly older than `before` was deleted unseen."""

    event: Literal["purge"] = "purge"
    schema_version: Literal[1] = SCHEMA_VERSION
    before: Version

    @property
    def event_id(self) -> EventId:
        """Identity of this purge."""
        return uuid_of("purge", str(self.before))


DocumentEvent = DocumentChanged | DocumentDeleted | DocumentInvalid
ChangeEvent = Annotated[DocumentEvent | Purge, Field(discriminator="event")]
CHANGE_EVENT: TypeAdapter[DocumentEvent | Purge] = TypeAdapter(ChangeEvent)
"""Parses and dumps any change event by its `event` field."""


class EventHeaders(Contract):
    """What travels beside an event's body, so that a body that cannot be decoded still leaves a record."""

    document_id: DocumentId | None = None
    version: Version | None = None
    cause: Cause | None = None
    content_hash: Digest | None = None
    size: NonNegativeInt = 0
    """Bytes of the document, body carried or not."""
    traceparent: Annotated[Text, StringConstraints(max_length=200)] | None = None
