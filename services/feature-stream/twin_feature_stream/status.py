"""What the flow tells of itself; written by its thread, read by any."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from twin_contracts.records import RecordStatus
from twin_feature_stream.metrics import CHUNKS, EVENTS, IN_HAND, SEARCHABLE, SINCE_COMMIT, STAGES
from twin_platform.telemetry.clock import Clock, SystemClock
from twin_platform.telemetry.metrics import Metrics, NoMetrics


@dataclass
class FlowStatus:
    """State, freshness and figures of one flow process."""

    state: Literal["starting", "running", "degraded", "stopped"] = "starting"
    detail: str | None = None
    seconds_to_searchable: float | None = None
    """Commit to searchable of the slowest document of the last commit that had a live one."""
    chunks_embedded: int = 0
    """Given to the embedder since the start; a chunk that kept the vector of an earlier revision is not among them."""

    metrics: Metrics = field(default_factory=NoMetrics)
    clock: Clock = field(default_factory=SystemClock)
    _holding: Callable[[], Mapping[str, float] | None] = lambda: None

    def __post_init__(self) -> None:
        """Have the time since the last commit read here; it begins now."""
        self._last_commit = self.clock.monotonic()
        self.metrics.show(SINCE_COMMIT, lambda: self.clock.monotonic() - self._last_commit)

    def embedded(self, chunks: int) -> None:
        """Count what the embedder was given."""
        self.chunks_embedded += chunks
        self.metrics.count(CHUNKS, by=chunks)

    def applied(self, outcome: RecordStatus) -> None:
        """Count a document whose record was written."""
        self.metrics.count(EVENTS, outcome)

    def committed(self, committed_at: Sequence[datetime], now: datetime) -> None:
        """Take note of a commit of documents that the store committed at these moments."""
        self._last_commit = self.clock.monotonic()
        if committed_at:
            self.seconds_to_searchable = max(0.0, (now - min(committed_at)).total_seconds())
        for moment in committed_at:
            self.metrics.observe(SEARCHABLE, max(0.0, (now - moment).total_seconds()))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds that this takes."""
        began = self.clock.monotonic()
        try:
            yield
        finally:
            self.metrics.count(STAGES, name, by=self.clock.monotonic() - began)

    def holding(self, events: Callable[[], Mapping[str, float] | None]) -> None:
        """Have whoever asks told by this what is held unacknowledged."""
        self._holding = events
        self.metrics.show(IN_HAND, events)

    @property
    def unacknowledged(self) -> int:
        """Return how many events were fetched from the log and are not acknowledged; for any thread."""
        return int(sum((self._holding() or {}).values()))
