"""What keeps the system from growing but with its documents: audits, and once a day everything that is over removed.

It runs in a thread of its own beside the flow of index 0. That is right without a lock between the two: it writes to
the feature store by single deletes only, each on a condition that the flow's own writes make false (`features/store.py`
says how), and acknowledges nothing. One of that flow's processes at a time does it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event as Flag
from typing import Final, Literal, Protocol

from twin_contracts.audit import AuditReport
from twin_contracts.base import Contract, Instant
from twin_contracts.events import Version
from twin_feature_stream.audit import SETTLE_SECONDS, Stores, audit
from twin_feature_stream.leftovers import WATCHED_FOR, Leftovers, Suspect, put_watched, watched
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.errors import TransientError
from twin_platform.log.errors import RightTaken
from twin_platform.records.audits import AUDIT_REPORTS, ask_audit, forget_reports, open_audits
from twin_platform.records.port import Collection
from twin_platform.records.reemissions import forget_finished
from twin_platform.telemetry.logs import Logger

EVERY: Final = timedelta(hours=24)
TOMBSTONES_KEPT: Final = timedelta(days=30)
LOOK_SECONDS: Final = 0.5
"""Between two looks for an audit that was asked for."""
FIRST_BACKOFF: Final = 0.5
LAST_BACKOFF: Final = 30.0


class Housekept(Contract):
    """When housekeeping was done last; on a fresh installation when that was started first."""

    at: Instant


HOUSEKEPT = Collection("housekeeping", Housekept)
_KEY = "last"
_RIGHT = "feature-stream.housekeeping"


@dataclass(frozen=True)
class Patience:
    """How long what may settle by itself is given to do so; the defaults are the design's."""

    settle_seconds: float = SETTLE_SECONDS
    watched_for: timedelta = WATCHED_FOR
    every: timedelta = EVERY
    after_start_seconds: float = 60.0
    """A command that runs the system for an answer is not kept up by what is overdue."""


@dataclass
class HousekeeperStatus:
    """What the housekeeper tells of itself; written by its thread, read by any."""

    state: Literal["starting", "running", "degraded", "stopped"] = "starting"
    detail: str | None = None


class _Compactable(Protocol):
    def compact(self) -> bool:
        """See the stores' ports."""


@dataclass
class Housekeeper:
    """The service: carries out audits as they are asked for, and the daily work when a day has passed and all is quiet.

    Whatever it was at when it was stopped or killed is done again from its beginning, which is harmless.
    """

    stores: Stores
    registry: HandlerRegistry
    logger: Logger
    patience: Patience = Patience()
    status: HousekeeperStatus = field(default_factory=HousekeeperStatus)

    def __post_init__(self) -> None:
        """Count from now how long the system has been running."""
        self._began = self.stores.clock.monotonic()

    def run(self, stop: Flag) -> None:
        """Run until `stop` is set; transient errors are waited out, any other is raised."""
        backoff = FIRST_BACKOFF
        self._tell("running", None)
        while not stop.is_set():
            try:
                self.look(stop)
                self._tell("running", None)
                backoff = FIRST_BACKOFF
                stop.wait(LOOK_SECONDS)
            except TransientError as error:
                self._tell("degraded", str(error))
                stop.wait(backoff)
                backoff = min(backoff * 2, LAST_BACKOFF)
        self._tell("stopped", None)

    def look(self, stop: Flag) -> None:
        """Do what there is to do now, unless another process is at it."""
        if not (open_audits(self.stores.records) or self._due_suspects() or self._is_due()):
            return
        with suppress(RightTaken), self.stores.log.exclusive(_RIGHT):
            self._audit(stop)
            self._remove_watched()
            if not stop.is_set() and self._is_due() and not self.stores.on_its_way():
                self.keep_house(stop)

    def _audit(self, stop: Flag) -> bool:
        """Carry out the audits that were asked for; return whether none is left."""
        for request in open_audits(self.stores.records):
            report = audit(self.stores, self.registry, request, stop, self.patience.settle_seconds)
            if report is None:
                return False
            self._log(report)
        return True

    def _remove_watched(self) -> None:
        """Remove the chunks that are still nobody's after an hour, in which every event has arrived."""
        due = self._due_suspects()
        if not due or self.stores.on_its_way():  # an event that waits may be the one that they belong to
            return
        for audit_id in sorted({one.audit_id for one in due}):
            leftovers = Leftovers(self.stores.features, self.stores.records, self.stores.clock)
            mine = [one for one in due if one.audit_id == audit_id]
            leftovers.remove_watched(mine)
            self._report_removal(audit_id, leftovers.removed, len(mine))
        put_watched(self.stores.records, [one for one in watched(self.stores.records) if one not in due])

    def _due_suspects(self) -> list[Suspect]:
        before = self.stores.clock.now() - self.patience.watched_for
        return [one for one in watched(self.stores.records) if one.seen_at <= before]

    def _report_removal(self, audit_id: str, removed: int, no_longer_watched: int) -> None:
        stored = self.stores.records.get(AUDIT_REPORTS, audit_id)
        if stored is not None:
            report = stored.record
            watching = max(0, report.chunks_watched - no_longer_watched)
            changes = {"chunks_removed": report.chunks_removed + removed, "chunks_watched": watching}
            self.stores.records.put(AUDIT_REPORTS, audit_id, report.model_copy(update=changes))

    def _is_due(self) -> bool:
        now = self.stores.clock.now()
        is_settled = self.stores.clock.monotonic() - self._began >= self.patience.after_start_seconds
        last = self.stores.records.get(HOUSEKEPT, _KEY)
        if last is None:
            self.stores.records.put(HOUSEKEPT, _KEY, Housekept(at=now))
            return False
        return is_settled and last.record.at <= now - self.patience.every

    def keep_house(self, stop: Flag) -> None:
        """Audit, then forget what is over and give back its room; put down that it was done."""
        stores, now = self.stores, self.stores.clock.now()
        ask_audit(stores.records, stores.clock, "housekeeping")
        if not self._audit(stop):
            return
        compactable: tuple[_Compactable, ...] = (stores.documents, stores.records, stores.log)
        work: list[Callable[[], object]] = [
            lambda: self._forget_deletions(now - TOMBSTONES_KEPT),
            lambda: forget_finished(stores.records, stores.clock),
            lambda: forget_reports(stores.records, stores.clock),
            *(lambda store=store: _compact(store, stop) for store in compactable),
            stores.features.optimize,
        ]
        for one in work:
            if stop.is_set():
                return
            one()
        stores.records.put(HOUSEKEPT, _KEY, Housekept(at=now))
        self.logger.event("housekeeping")

    def _forget_deletions(self, before: datetime) -> None:
        """Forget what was deleted long ago, where no event waits: one of before the deletion would bring it back."""
        if not self.stores.on_its_way():
            self.stores.features.forget_tombstones(Version(seconds=int(before.timestamp()), increment=0))
            self.stores.documents.forget_deletions(before)

    def _log(self, report: AuditReport) -> None:
        self.logger.event(
            "audit",
            audit=report.id,
            documents=report.counts.documents,
            differing=report.counts.differing,
            chunks_removed=report.chunks_removed,
            chunks_watched=report.chunks_watched,
        )

    def _tell(self, state: Literal["running", "degraded", "stopped"], detail: str | None) -> None:
        if (state, detail) != (self.status.state, self.status.detail):
            self.logger.event("housekeeper", state=state, detail=detail)
        self.status.state, self.status.detail = state, detail


def _compact(store: _Compactable, stop: Flag) -> None:
    while not stop.is_set() and store.compact():
        pass
