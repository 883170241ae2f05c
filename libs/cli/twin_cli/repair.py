"""`twin resync`, `twin audit`, `twin optimize`: make documents anew, compare the stores, rebuild indexes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from twin_cli.client import Client
from twin_cli.connect import connected, own_records
from twin_cli.data_folder import DataFolder
from twin_cli.errors import Refused
from twin_cli.settings import Settings
from twin_cli.show import joined
from twin_cli.terminal import logger_of_command, say, tell
from twin_contracts.audit import AuditReport, AuditState
from twin_contracts.base import DocumentId
from twin_contracts.http import DocumentState, DocumentStatus
from twin_contracts.reemission import MAX_REEMISSION_IDS
from twin_platform.records.reemissions import ask_reemission
from twin_platform.telemetry.clock import SystemClock

PATIENCE_SECONDS: Final = 120.0
"""How long a command waits while not one document more comes out of the flow."""
POLL_SECONDS: Final = 0.2
_NOT_FOUND: Final = 404
_NOT_YET: Final = "not all of it has come out of the flow yet; `twin status` shows when nothing is on its way any more"

_DIFFERENCES: Final = {
    "missing": "without a record",
    "stale": "whose record is of other content",
    "unexpected": "in the index that are gone from the store",
    "incomplete": "with another number of chunks than their record says",
    "orphaned": "with chunks that no record names",
}


def resync(
    ids: Annotated[list[str] | None, typer.Argument(help="Document ids; without one, everything.")] = None,
) -> None:
    """Send documents through the pipeline again: after a changed handler, or to repair a store."""
    settings = Settings()
    if ids:
        raise typer.Exit(0 if try_again(settings, ids) else 1)
    if settings.twin_url is None and DataFolder(settings.twin_data).owner() is None:
        with own_records(settings) as records:
            ask_reemission(records, SystemClock(), "twin resync")
        tell("asked for; it begins with the next `twin up`")
        return
    with connected(settings, logger_of_command(), say) as client:
        client.reemit(None)
    tell("asked for; `twin status` shows when it is done")


def audit(
    *, wait: Annotated[bool, typer.Option("--wait", help="Wait until what differed has been made anew.")] = False
) -> None:
    """Compare documents, records and chunks, and repair what differs. The exit status is 1 where something did."""
    settings = Settings()
    own = settings.twin_url is None and DataFolder(settings.twin_data).owner() is None
    with connected(settings, logger_of_command(), say) as client:
        with _progress() as bars:
            report = _audited(client, bars)
        tell(joined(reported(report)))
        if report.reemissions and (wait or own):  # a system that only runs for this command would end before it is done
            arrived = _wait_for_all(client, report.reemissions)
            say("what differed has been made anew" if arrived else _NOT_YET)
    raise typer.Exit(0 if report.exact else 1)


def optimize() -> None:
    """Rebuild the indexes of the chunks now; questions wait meanwhile."""
    with connected(Settings(), logger_of_command(), say) as client:
        seconds = client.optimize().seconds
    tell(f"the indexes are rebuilt ({seconds:.1f} s)")


def try_again(settings: Settings, ids: Sequence[str]) -> bool:
    """Have documents tried again, parked or not, and say what became of each; return whether all are indexed."""
    with connected(settings, logger_of_command(), say) as client:
        return tried_again(client, ids)


def tried_again(client: Client, ids: Sequence[str]) -> bool:
    """Do as `try_again` with a system that is already spoken to."""
    lists = [ids[start : start + MAX_REEMISSION_IDS] for start in range(0, len(ids), MAX_REEMISSION_IDS)]
    arrived = _wait_for_all(client, [client.reemit(one).id for one in lists])
    states = [(one, _state(client, one)) for one in ids]
    tell(joined(_outcome(one, state) for one, state in states))
    if not arrived:
        say(_NOT_YET)
    return arrived and all(state is not None and state.status is DocumentState.INDEXED for _, state in states)


def reported(report: AuditReport) -> list[str]:
    """Return an audit's report in words."""
    counts = report.counts
    compared = f"compared {counts.documents:,} documents, {counts.records:,} records, {counts.chunks:,} chunks"
    lines = [f"{compared}: all is one" if report.exact else compared]
    found = counts.model_dump()
    lines += [f"  {_documents(found[kind])} {said}" for kind, said in _DIFFERENCES.items() if found[kind]]
    if report.asked_again:
        lines.append(f"{_documents(report.asked_again)} asked for again; `twin status` shows when all has arrived")
    elif report.reemissions:
        lines.append("everything is asked for again; `twin status` shows when all has arrived")
    elif counts.differing:
        lines.append("a re-emission of everything is under way and makes them anew; `twin status` shows it")
    if not report.was_quiet and counts.differing:
        lines.append("changes kept arriving: some of these may only have been on their way")
    if report.chunks_removed:
        lines.append(f"chunks removed that were older than their record: {report.chunks_removed:,}")
    if report.chunks_watched:
        lines.append(f"chunks that no record names: {report.chunks_watched:,}; what is left of them in an hour goes")
    if counts.outdated:
        lines.append(f"{_documents(counts.outdated)} made by an older pipeline; `twin resync` makes them anew")
    return lines


def _audited(client: Client, bars: Progress) -> AuditReport:
    report = client.ask_audit()
    task = bars.add_task("compared", total=None)
    try:
        while report.state is not AuditState.FINISHED:
            time.sleep(POLL_SECONDS)
            report = client.audit(report.id)
            what = "waiting for what is on its way" if report.state is AuditState.SETTLING else "compared"
            bars.update(task, description=what, completed=report.checked, total=report.total or None)
    except KeyboardInterrupt:
        bars.stop()
        say("interrupted; the audit goes on where `twin up` runs")
        raise
    return report


def _wait_for_all(client: Client, requests: Sequence[DocumentId]) -> bool:
    return not [one for one in requests if not _wait_for(client, one)]


def _wait_for(client: Client, request_id: DocumentId) -> bool:
    """Wait until every document of a request came out of the flow; False where none more does for two minutes."""
    least, since = None, time.monotonic()
    with _progress() as bars:
        task = bars.add_task("made anew")
        while True:
            status = client.reemission(request_id)
            left = _left(client) if status.remaining is None else status.remaining
            if status.published and not left:
                return True
            if least is None or left < least:
                least, since = left, time.monotonic()
            elif time.monotonic() - since > PATIENCE_SECONDS:
                return False
            if status.documents is not None:
                bars.update(task, total=status.documents, completed=status.documents - left)
            time.sleep(POLL_SECONDS)


def _left(client: Client) -> int:
    status = client.status()
    unknown = 1  # a log that does not answer has something left until it says otherwise
    return status.reemissions + (unknown if status.waiting is None else status.waiting)


def _state(client: Client, given_id: str) -> DocumentStatus | None:
    try:
        return client.document(given_id)
    except Refused as error:
        if error.status == _NOT_FOUND:
            return None
        raise


def _outcome(given_id: str, state: DocumentStatus | None) -> str:
    if state is None:
        return f"{given_id}: gone; nothing of it is found any more"
    name = f"{given_id} ({state.title})" if state.title else given_id
    match state.status:
        case DocumentState.INDEXED:
            return f"{name}: indexed, {state.chunks:,} chunks"
        case DocumentState.PENDING:
            return f"{name}: still on its way"
        case _:
            return f"{name}: {state.status} by stage {state.stage}: {state.reason}"


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"


@contextmanager
def _progress() -> Iterator[Progress]:
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True) as bars:
        yield bars
