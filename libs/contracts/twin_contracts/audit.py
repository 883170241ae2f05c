"""The audit: documents, records and chunks compared, differences asked for again, what is left over removed."""

from enum import StrEnum
from typing import Annotated

from pydantic import NonNegativeInt, StringConstraints

from twin_contracts.base import Contract, DocumentId, Instant, Text, uuid_of


class AuditRequest(Contract):
    """Asks the flow of index 0 for an audit. Anyone may put one into the record store."""

    id: DocumentId
    reason: Annotated[Text, StringConstraints(max_length=500)]
    requested_at: Instant

    @classmethod
    def new(cls, reason: str, requested_at: Instant) -> "AuditRequest":
        """Return a request whose id follows from its reason and moment."""
        return cls(id=uuid_of("audit", reason, requested_at.isoformat()), reason=reason, requested_at=requested_at)


class AuditState(StrEnum):
    """How far an audit is."""

    WAITING = "waiting"
    COMPARING = "comparing"
    SETTLING = "settling"
    """Differences were seen; what is only on its way is given time to arrive."""
    FINISHED = "finished"


class AuditCounts(Contract):
    """What an audit saw. A document is counted under the first that holds of it."""

    documents: NonNegativeInt = 0
    records: NonNegativeInt = 0
    """Tombstones among them."""
    chunks: NonNegativeInt = 0
    missing: NonNegativeInt = 0
    """Documents without a record."""
    stale: NonNegativeInt = 0
    """Documents whose record is of other content."""
    unexpected: NonNegativeInt = 0
    """Records whose document is gone."""
    incomplete: NonNegativeInt = 0
    """Records that name another number of chunks than are in force."""
    orphaned: NonNegativeInt = 0
    """Documents with chunks that no record names; no reader sees those."""
    outdated: NonNegativeInt = 0
    """Documents made by an older pipeline; no difference, `twin resync` makes them anew."""

    @property
    def differing(self) -> int:
        """Return how many documents differ."""
        return self.missing + self.stale + self.unexpected + self.incomplete + self.orphaned


class AuditReport(Contract):
    """An audit and what came of it; its id is the request's."""

    id: DocumentId
    reason: Text
    requested_at: Instant
    state: AuditState = AuditState.WAITING
    checked: NonNegativeInt = 0
    """Documents and chunks compared so far, of `total`."""
    total: NonNegativeInt = 0
    counts: AuditCounts = AuditCounts()
    chunks_removed: NonNegativeInt = 0
    """Chunks older than their record; an hour later also those of `chunks_watched` that are still nobody's."""
    chunks_watched: NonNegativeInt = 0
    """Chunks that no record names, and that are not older than it: removed an hour later, if still the same."""
    asked_again: NonNegativeInt = 0
    """Documents whose re-emission was asked for; 0, too, where everything was."""
    reemissions: tuple[DocumentId, ...] = ()
    """The requests of this audit."""
    was_quiet: bool = True
    """False where events kept waiting: some of what differs may only be on its way."""
    finished_at: Instant | None = None

    @classmethod
    def of(cls, request: AuditRequest) -> "AuditReport":
        """Return the report of an audit that has not begun."""
        return cls(id=request.id, reason=request.reason, requested_at=request.requested_at)

    @property
    def exact(self) -> bool:
        """Return whether store, records and chunks were found to be one, and nothing is left over."""
        return not (self.counts.differing or self.chunks_removed or self.chunks_watched)
