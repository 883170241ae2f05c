"""HTTP bodies of what an operator asks for: refused documents looked at and tried again, everything made anew."""

from typing import Annotated

from pydantic import ConfigDict, Field, NonNegativeInt, StringConstraints

from twin_contracts.base import Contract, DocumentId, Instant, Text
from twin_contracts.http import CLIENT_ID_PATTERN, DocumentStatus
from twin_contracts.reemission import MAX_REEMISSION_IDS

CURSOR_PATTERN = r"^[0-9]{1,15}\.[0-9]{1,15}\.[0-9a-f-]{36}$"


class UnreadableEntry(Contract):
    """A message that nobody could decode and that names no document."""

    id: DocumentId
    queue: Text
    size: NonNegativeInt
    received_at: Instant


class UnreadableDetail(UnreadableEntry):
    """The same with its bytes."""

    body_base64: Text


class ParkedPage(Contract):
    """One page of `GET /v1/parked`, newest first; `next` is the cursor of the following page, None on the last."""

    items: tuple[DocumentStatus, ...]
    unreadable: tuple[UnreadableEntry, ...] = ()
    """On the first page, for a key that is bound to no author."""
    next: Text | None = None


class ReemissionInput(Contract):
    """Body of `POST /v1/reemissions`; an unknown field is a mistake worth a 422."""

    model_config = ConfigDict(extra="forbid")

    ids: (
        Annotated[
            tuple[Annotated[Text, StringConstraints(pattern=CLIENT_ID_PATTERN)], ...],
            Field(min_length=1, max_length=MAX_REEMISSION_IDS),
        ]
        | None
    ) = None
    """Documents to try again, parked or not; None makes everything anew but what is parked."""


class ReemissionStatus(Contract):
    """How far a re-emission is."""

    id: DocumentId
    reason: Text
    requested_at: Instant
    documents: NonNegativeInt | None = None
    """How many were named; None: everything."""
    published: bool = False
    """Whether every document's present state is in the event log."""
    remaining: NonNegativeInt | None = None
    """Of the named ones, how many have not come out of the flow; None where everything was asked for."""


class Optimized(Contract):
    """The indexes were rebuilt."""

    seconds: float
