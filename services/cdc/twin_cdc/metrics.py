"""cdc's figures: a closed list, here alone, and what keeps those of the active relay."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from twin_contracts.events import DocumentInvalid, Purge
from twin_contracts.queues import Lane, Queue
from twin_platform.documents.port import Change
from twin_platform.log.port import Event
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.metrics import Counter, Gauge, Histogram, Metric, Metrics

LAG: Final = Histogram(
    "twin_cdc_commit_to_publish_seconds",
    "From the time stamped into a document at its commit to the log's confirmation of its live event. Changes without "
    "a stamp (MongoDB's deletes, transactions) are not in it; a clock that is ahead shows as 0.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
PUBLISHED: Final = Counter(
    "twin_cdc_documents_published_total",
    "Documents' events that the log has confirmed; those of lane refill are re-emitted.",
    labels=("lane",),
    values=(Lane.LIVE, Lane.REFILL),
)
LOST: Final = Counter("twin_cdc_positions_lost_total", "Lost positions; each is answered by re-emitting everything.")
SINCE_EVENT: Final = Gauge(
    "twin_cdc_seconds_since_event", "Since the feed last had a change for the active cdc; absent before its first one."
)
UNCONFIRMED: Final = Gauge(
    "twin_cdc_unconfirmed_events",
    "Events on their way to the log, by window: feed (at most 1,000) and refill (at most 200).",
    labels=("window",),
)
REEMISSIONS: Final = Gauge("twin_cdc_reemissions_open", "Re-emissions that were asked for and are not finished.")
HEADROOM: Final = Gauge(
    "twin_cdc_oplog_headroom_seconds",
    "From MongoDB's oldest oplog entry to the position, which is lost once that entry is younger. Absent on other "
    "stores, and where the user may not read local.oplog.rs.",
)
METRICS: Final[Sequence[Metric]] = (LAG, PUBLISHED, LOST, SINCE_EVENT, UNCONFIRMED, REEMISSIONS, HEADROOM)


@dataclass
class Figures:
    """What the active relay measures; one that is not active shows no gauge, since it knows nothing of the state."""

    metrics: Metrics
    clock: Clock
    headroom: float | None = None
    _last_event: float | None = None

    def __post_init__(self) -> None:
        """Have the gauges read here that need no open feed."""
        self.metrics.show(SINCE_EVENT, self._since_event)
        self.metrics.show(HEADROOM, lambda: self.headroom)

    @contextmanager
    def active(self, unconfirmed: Callable[[], Mapping[str, float]], reemissions: Callable[[], int]) -> Iterator[None]:
        """Show what these say for as long as this lasts."""
        self.metrics.show(UNCONFIRMED, unconfirmed)
        self.metrics.show(REEMISSIONS, reemissions)
        try:
            yield
        finally:
            self.metrics.show(UNCONFIRMED, _nothing)
            self.metrics.show(REEMISSIONS, _nothing)
            self.headroom = self._last_event = None

    def read(self, changes: Sequence[Change]) -> None:
        """Take note of what the feed has handed out."""
        if changes:
            self._last_event = self.clock.monotonic()

    def confirmed(self, queue: Queue, event: Event) -> None:
        """Count what the log has confirmed."""
        if isinstance(event, Purge):
            return
        self.metrics.count(PUBLISHED, queue.lane)
        if queue.lane is Lane.LIVE and not isinstance(event, DocumentInvalid) and event.committed_at is not None:
            self.metrics.observe(LAG, max(0.0, (self.clock.now() - event.committed_at).total_seconds()))

    def _since_event(self) -> float | None:
        last = self._last_event
        return None if last is None else self.clock.monotonic() - last


def _nothing() -> None:
    return None
