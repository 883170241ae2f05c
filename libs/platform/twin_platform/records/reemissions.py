"""Where requests for re-emission are kept: anyone asks by putting one, the active cdc runs them."""

from datetime import timedelta

from twin_contracts.base import DocumentId
from twin_contracts.events import Cause, Version
from twin_contracts.reemission import Reemission
from twin_platform.records.port import Collection, RecordStore
from twin_platform.telemetry.clock import Clock

REEMISSIONS = Collection("reemissions", Reemission)
"""Requests that are not finished: few, so that cdc can look at them all the time."""

FINISHED_REEMISSIONS = Collection("reemissions-finished", Reemission)
"""What was asked for lately; housekeeping forgets it."""


KEPT = timedelta(days=7)
"""How long a finished request can be asked for."""

_PAGE = 100


def ask_reemission(
    records: RecordStore,
    clock: Clock,
    reason: str,
    ids: tuple[DocumentId, ...] | None = None,
    cause: Cause = Cause.REFILL,
    after: Version | None = None,
) -> Reemission:
    """Ask cdc to publish present states again; `ids` None asks for everything. Returns the request as stored.

    Args:
        after: a version that the document store allocated before: every event of the request is later.
    """
    request = Reemission.new(reason, clock.now(), ids, cause, after)
    records.put(REEMISSIONS, request.id, request)
    return request


def reemission(records: RecordStore, request_id: DocumentId) -> Reemission | None:
    """Return a request, finished or not; None where there is none, or no longer."""
    stored = records.get(REEMISSIONS, request_id) or records.get(FINISHED_REEMISSIONS, request_id)
    return stored.record if stored else None


def open_reemissions(records: RecordStore) -> list[Reemission]:
    """Return the requests that are not finished, oldest first."""
    requests: list[Reemission] = []
    after: str | None = None
    while page := records.find(REEMISSIONS, after=after):
        requests += [stored.record for stored in page]
        after = page[-1].key
    return sorted(requests, key=lambda request: (request.requested_at, request.id))


def finish_reemission(records: RecordStore, clock: Clock, request: Reemission) -> None:
    """Move the request to the finished ones. Killed in between, it stays open and is run again, which is harmless."""
    records.put(FINISHED_REEMISSIONS, request.id, request.model_copy(update={"finished_at": clock.now()}))
    records.delete(REEMISSIONS, request.id)


def forget_finished(records: RecordStore, clock: Clock) -> int:
    """Forget the requests that were finished a week ago; return how many."""
    before = clock.now() - KEPT
    forgotten = 0
    after: str | None = None
    while page := records.find(FINISHED_REEMISSIONS, after=after, limit=_PAGE):
        after = page[-1].key
        old = [one.key for one in page if one.record.finished_at is None or one.record.finished_at < before]
        forgotten += sum(records.delete(FINISHED_REEMISSIONS, key) for key in old)
    return forgotten
