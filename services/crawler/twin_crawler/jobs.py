"""Crawl jobs: claimed by one crawler, worked off link by link, taken up where a dead crawler left them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from twin_contracts.crawl import Claim, CrawlJob, CrawlState, LinkOutcome, LinkState
from twin_crawler.crawl import Crawl
from twin_crawler.errors import Interrupted
from twin_crawler.metrics import JOBS, JOBS_OPEN, LinkFigures, outcome_of
from twin_platform.errors import TransientError
from twin_platform.records.crawls import CRAWLS, finish_crawl, open_crawls
from twin_platform.records.port import RecordChanged, RecordStore, Stored
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.metrics import Metrics, NoMetrics

LEASE = timedelta(minutes=15)
"""For so long a claim holds without a word: longer than the longest fetch."""
TELL_SECONDS = 0.5
MOST_TRIES = 3
"""A link that ended so many crawlers is not tried again."""
_OPEN = {LinkState.WAITING, LinkState.RUNNING}


@dataclass(frozen=True)
class Jobs:
    """Works off what stands in the record store.

    Args:
        name: under which jobs are claimed, another one for each crawler that runs at the same time. One that starts
            again under its old name goes on at once, any other when the claim has run out.
    """

    crawl: Crawl
    records: RecordStore
    clock: Clock
    name: str
    metrics: Metrics = field(default_factory=NoMetrics)

    def run_next(self, stop: Callable[[], bool]) -> bool:
        """Work off the oldest job that nobody else works on; False where there is none.

        Raises:
            TransientError: a store is away; the job is taken up again later.
        """
        jobs = open_crawls(self.records)
        self.metrics.show(JOBS_OPEN, partial(float, len(jobs)))
        for stored in jobs:
            claim = stored.record.claim
            if claim is None or claim.by == self.name or claim.until < self.clock.now():
                try:
                    self._work(_Held(self, stored), stop)
                except (Interrupted, RecordChanged):
                    continue
                return True
        return False

    def _work(self, held: "_Held", stop: Callable[[], bool]) -> None:
        held.begin()
        for place, before in enumerate(held.job.links):
            if before.state not in _OPEN:
                continue
            died = before.state is LinkState.RUNNING
            outcome = before.model_copy(update={"state": LinkState.RUNNING, "tries": before.tries + died})
            if outcome.tries == MOST_TRIES:
                why = f"the crawler died {MOST_TRIES} times while it read this link"
                held.put(place, outcome.model_copy(update={"state": LinkState.REFUSED, "reason": why}))
                continue
            held.put(place, outcome)
            self._crawl(held, place, outcome, stop)
        held.finish()
        self.metrics.count(JOBS, outcome_of(held.job))

    def _crawl(self, held: "_Held", place: int, before: LinkOutcome, stop: Callable[[], bool]) -> None:
        told, latest, figures = self.clock.monotonic(), before, LinkFigures(self.metrics)

        def tell(outcome: LinkOutcome) -> None:
            nonlocal told, latest
            latest = outcome
            if outcome is not before:  # whose documents somebody has counted who was interrupted
                figures.told(outcome)
            if stop():
                raise Interrupted
            if self.clock.monotonic() - told >= TELL_SECONDS:
                held.put(place, outcome)
                told = self.clock.monotonic()

        try:
            tell(before)
            outcome = self.crawl(held.job, before, tell)
            figures.told(outcome)
            held.put(place, outcome)
        except (Interrupted, TransientError):
            held.put(place, latest.model_copy(update={"state": LinkState.WAITING}))
            raise


class _Held:
    """A job that this crawler has claimed; a write fails once somebody else has."""

    def __init__(self, jobs: Jobs, stored: Stored[CrawlJob]) -> None:
        self.jobs, self.job, self._revision = jobs, stored.record, stored.revision

    def begin(self) -> None:
        started = self.job.started_at or self.jobs.clock.now()
        self._put(self.job.model_copy(update={"state": CrawlState.RUNNING, "started_at": started}))

    def put(self, place: int, outcome: LinkOutcome) -> None:
        links = (*self.job.links[:place], outcome, *self.job.links[place + 1 :])
        self._put(self.job.model_copy(update={"links": links}))

    def finish(self) -> None:
        finish_crawl(self.jobs.records, self.jobs.clock, self.job)

    def _put(self, job: CrawlJob) -> None:
        until = self.jobs.clock.now() + LEASE
        job = job.model_copy(update={"claim": Claim(by=self.jobs.name, until=until)})
        self._revision = self.jobs.records.put(CRAWLS, job.id, job, if_revision=self._revision)
        self.job = job
