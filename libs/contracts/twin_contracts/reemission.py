"""The request that settles whatever is in doubt: publish present states again."""

from typing import Annotated

from pydantic import Field, StringConstraints

from twin_contracts.base import Contract, DocumentId, Instant, Text, uuid_of
from twin_contracts.events import Cause, Version

MAX_REEMISSION_IDS = 10_000


class ReemissionProgress(Contract):
    """How far a re-emission of everything has come; kept over restarts."""

    first: Version
    """Version of the first step, stored before a row of it is published; what is older at the end is purged."""
    last_id: DocumentId | None = None
    """Last id whose event was confirmed."""


class Reemission(Contract):
    """Asks the active cdc to publish present states again: a list of documents, or everything.

    Anyone may put one into the record store; requests for everything that have not begun are joined.
    """

    id: DocumentId
    ids: Annotated[tuple[DocumentId, ...], Field(max_length=MAX_REEMISSION_IDS)] | None = None
    """None means everything."""
    reason: Annotated[Text, StringConstraints(max_length=500)]
    cause: Cause = Cause.REFILL
    requested_at: Instant
    after: Version | None = None
    """Its events are later than this: who asked can tell by a record's version that it has been tried again."""
    progress: ReemissionProgress | None = None
    finished_at: Instant | None = None

    @classmethod
    def new(
        cls,
        reason: str,
        requested_at: Instant,
        ids: tuple[DocumentId, ...] | None = None,
        cause: Cause = Cause.REFILL,
        after: Version | None = None,
    ) -> "Reemission":
        """Return a request whose id follows from its content and moment."""
        identity = uuid_of("reemission", reason, requested_at.isoformat(), *(ids or ("everything",)))
        return cls(id=identity, ids=ids, reason=reason, cause=cause, requested_at=requested_at, after=after)
