"""Where audits are asked for and reported: anyone asks by putting a request, the flow of index 0 carries it out."""

from datetime import timedelta

from twin_contracts.audit import AuditReport, AuditRequest, AuditState
from twin_contracts.base import DocumentId
from twin_platform.records.port import Collection, RecordStore
from twin_platform.telemetry.clock import Clock

AUDITS = Collection("audits", AuditRequest)
"""Requests that are not finished: few, so that the flow can look at them all the time."""

AUDIT_REPORTS = Collection("audit-reports", AuditReport)
"""One per audit that has begun; the running one's is written anew as it goes on."""

KEPT = timedelta(days=7)
"""How long a report can be asked for; the last one longer."""


def ask_audit(records: RecordStore, clock: Clock, reason: str) -> AuditReport:
    """Ask for an audit; one that has not begun is joined. Returns its report, which is still empty."""
    for report in map(AuditReport.of, open_audits(records)):
        if records.get(AUDIT_REPORTS, report.id) is None:
            return report
    request = AuditRequest.new(reason, clock.now())
    records.put(AUDITS, request.id, request)
    return AuditReport.of(request)


def open_audits(records: RecordStore) -> list[AuditRequest]:
    """Return the requests that are not finished, oldest first."""
    requests = [stored.record for stored in records.find(AUDITS)]
    return sorted(requests, key=lambda request: (request.requested_at, request.id))


def audit_report(records: RecordStore, audit_id: DocumentId) -> AuditReport | None:
    """Return how far an audit is; None where there is none, or no longer."""
    report = records.get(AUDIT_REPORTS, audit_id)
    if report is not None:
        return report.record
    request = records.get(AUDITS, audit_id)
    return AuditReport.of(request.record) if request else None


def last_report(records: RecordStore) -> AuditReport | None:
    """Return the report of the audit that finished last."""
    finished = [report for report in _reports(records) if report.finished_at is not None]
    return max(finished, key=lambda report: (report.finished_at, report.id), default=None)


def finish_audit(records: RecordStore, clock: Clock, report: AuditReport) -> AuditReport:
    """Store the finished report and close its request. Killed in between, the audit is done again."""
    done = report.model_copy(update={"state": AuditState.FINISHED, "finished_at": clock.now()})
    records.put(AUDIT_REPORTS, done.id, done)
    records.delete(AUDITS, done.id)
    return done


def forget_reports(records: RecordStore, clock: Clock) -> int:
    """Forget reports of a week ago but the last one; return how many."""
    last = last_report(records)
    old = [
        report
        for report in _reports(records)
        if report.finished_at is not None and report.finished_at < clock.now() - KEPT and report != last
    ]
    return sum(records.delete(AUDIT_REPORTS, report.id) for report in old)


def _reports(records: RecordStore) -> list[AuditReport]:
    found: list[AuditReport] = []
    while page := records.find(AUDIT_REPORTS, after=found[-1].id if found else None):
        found += [stored.record for stored in page]
    return found
