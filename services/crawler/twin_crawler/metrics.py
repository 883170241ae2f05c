"""The crawler's figures: a closed list, here alone, and what counts a link's documents."""

from collections.abc import Sequence
from typing import Final

from twin_contracts.crawl import CrawlJob, LinkOutcome, LinkState
from twin_platform.telemetry.metrics import Counter, Gauge, Histogram, Metric, Metrics

JOBS: Final = Counter(
    "twin_crawler_jobs_finished_total",
    "Jobs that came to their end, by what became of their links: read, all; partly, some; refused, none.",
    labels=("outcome",),
    values=("read", "partly", "refused"),
)
JOBS_OPEN: Final = Gauge(
    "twin_crawler_jobs_open",
    "Jobs of the record store that are not finished, this crawler's and others', when it last looked for one: before "
    "each job, and all the time while it has none. Absent before its first look.",
)
DOCUMENTS: Final = Counter(
    "twin_crawler_documents_total",
    "Documents of links, by outcome: stored, unchanged, deleted (gone from where it came), refused.",
    labels=("outcome",),
    values=("stored", "unchanged", "deleted", "refused"),
)
FETCHES: Final = Counter(
    "twin_crawler_fetches_total",
    "Pages and feeds asked for (no clone of Git, no robots.txt), by outcome: fetched, unchanged (the site says so), "
    "refused (it never will be), failed (not now, after every attempt).",
    labels=("outcome",),
    values=("fetched", "unchanged", "refused", "failed"),
)
FETCH_SECONDS: Final = Histogram(
    "twin_crawler_fetch_seconds",
    "From the wish for a page to its outcome; waiting for the host's turn, its robots.txt and its patience included.",
    (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
)
METRICS: Final[Sequence[Metric]] = (JOBS, JOBS_OPEN, DOCUMENTS, FETCHES, FETCH_SECONDS)


class LinkFigures:
    """Counts what becomes of one link's documents: what is new in each outcome that it is told."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counted = dict.fromkeys(DOCUMENTS.values, 0)

    def told(self, outcome: LinkOutcome) -> None:
        """Count; the figures of an outcome only grow."""
        now = {"stored": outcome.stored, "unchanged": outcome.unchanged}
        now |= {"deleted": outcome.deleted, "refused": outcome.refused}
        for name, figure in now.items():
            self._metrics.count(DOCUMENTS, name, by=figure - self._counted[name])
        self._counted = now


def outcome_of(job: CrawlJob) -> str:
    """Return what became of a job's links."""
    refused = sum(link.state is LinkState.REFUSED for link in job.links)
    return "read" if not refused else "partly" if refused < len(job.links) else "refused"
