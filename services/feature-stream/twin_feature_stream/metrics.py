"""The flow's figures: a closed list, here alone."""

from collections.abc import Sequence
from typing import Final

from twin_contracts.records import RecordStatus
from twin_platform.telemetry.metrics import Counter, Gauge, Histogram, Metric

EVENTS: Final = Counter(
    "twin_flow_documents_committed_total",
    "Documents' events whose record was committed, by outcome. One that is older than its record is not handled.",
    labels=("outcome",),
    values=tuple(RecordStatus),
)
SEARCHABLE: Final = Histogram(
    "twin_flow_commit_to_searchable_seconds",
    "From the time stamped into a document at its commit to the end of the epoch that made it searchable; live events "
    "only. A clock that is ahead shows as 0.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
CHUNKS: Final = Counter(
    "twin_flow_chunks_embedded_total", "Chunks given to the embedder; one that kept its vector is not among them."
)
STAGES: Final = Counter(
    "twin_flow_stage_seconds_total",
    "Seconds of work by stage; they run beside each other, so the busiest one is the flow's limit.",
    labels=("stage",),
    values=("prepare", "embed", "commit", "flush"),
)
IN_HAND: Final = Gauge(
    "twin_flow_unacknowledged_events",
    "Events that this process holds: prefetched from the log, and handed out to be handled.",
    labels=("place",),
)
SINCE_COMMIT: Final = Gauge(
    "twin_flow_seconds_since_commit", "Since the last epoch's commit, or since the start where none has come yet."
)
METRICS: Final[Sequence[Metric]] = (EVENTS, SEARCHABLE, CHUNKS, STAGES, IN_HAND, SINCE_COMMIT)
