"""Where requests for re-emission are kept: anyone asks by putting one, the active cdc runs them."""

from twin_contracts.base import DocumentId
from twin_contracts.events import Cause
from twin_contracts.reemission import Reemission
from twin_platform.records.port import Collection, RecordStore
from twin_platform.telemetry.clock import Clock

REEMISSIONS = Collection("reemissions", Reemission)


def ask_reemission(
    records: RecordStore,
    clock: Clock,
    reason: str,
    ids: tuple[DocumentId, ...] | None = None,
    cause: Cause = Cause.REFILL,
) -> Reemission:
    """Ask cdc to publish present states again; `ids` None asks for everything. Returns the request as stored."""
    request = Reemission.new(reason, clock.now(), ids, cause)
    records.put(REEMISSIONS, request.id, request)
    return request


def open_reemissions(records: RecordStore) -> list[Reemission]:
    """Return the requests that are not finished, oldest first."""
    requests: list[Reemission] = []
    after: str | None = None
    while page := records.find(REEMISSIONS, after=after):
        requests += [stored.record for stored in page if stored.record.finished_at is None]
        after = page[-1].key
    return sorted(requests, key=lambda request: (request.requested_at, request.id))
