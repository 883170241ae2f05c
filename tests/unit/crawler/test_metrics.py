"""The crawler's figures, as somebody who watches it reads them."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from fakes.clock import SettableClock
from fakes.metrics import RecordingMetrics
from fakes.records import InMemoryRecordStore
from twin_contracts.crawl import CrawlJob, CrawlRequest, LinkOutcome, LinkState
from twin_contracts.http import ComponentStatus
from twin_crawler.adapters.measured_fetcher import MeasuredFetcher
from twin_crawler.errors import CrawlError, FetchFailed, FetchRefused, Interrupted, Reason
from twin_crawler.http import CrawlerRoutes
from twin_crawler.metrics import DOCUMENTS, FETCH_SECONDS, FETCHES, METRICS, LinkFigures, outcome_of
from twin_crawler.ports import Fetched
from twin_platform.telemetry.prometheus import PrometheusMetrics

LINK = "https://blog.example/rye"
LINKS = (LINK, f"{LINK}/2")
KEY = "a-key-of-enough-characters"


@dataclass
class OneFetch:
    """A fetcher whose every fetch takes two seconds and ends like this."""

    clock: SettableClock
    ends: Fetched | CrawlError
    asked: list[str | None] = field(default_factory=list)

    def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        self.asked += [url, etag, last_modified, *(accept or ())]
        self.clock.turn(timedelta(seconds=2))
        if isinstance(self.ends, CrawlError):
            raise self.ends
        return self.ends


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        (Fetched(LINK, 200), "fetched"),
        (Fetched(LINK, 304, not_modified=True), "unchanged"),
        (FetchRefused(LINK, Reason.GONE, "gone"), "refused"),
        (FetchFailed(LINK, "nobody answers"), "failed"),
    ],
)
def test_a_fetch_is_counted_by_its_outcome_and_has_its_seconds(ends: Fetched | CrawlError, outcome: str) -> None:
    metrics, clock = RecordingMetrics(), SettableClock()
    fetcher = MeasuredFetcher(OneFetch(clock, ends), metrics, clock)

    with suppress(CrawlError):
        fetcher.fetch(LINK)

    assert metrics.counted == {(FETCHES.name, outcome): 1}
    assert metrics.observed[FETCH_SECONDS.name] == [2.0]


def test_a_fetch_that_a_stop_ends_is_not_counted() -> None:
    metrics, clock = RecordingMetrics(), SettableClock()

    with pytest.raises(Interrupted):
        MeasuredFetcher(OneFetch(clock, Interrupted()), metrics, clock).fetch(LINK)

    assert not metrics.counted


def test_what_is_asked_of_a_measured_fetcher_is_asked_of_the_other() -> None:
    other = OneFetch(SettableClock(), Fetched(LINK, 200))

    MeasuredFetcher(other, RecordingMetrics(), other.clock).fetch(
        LINK, accept=frozenset({"text/html"}), etag="e", last_modified="m"
    )

    assert other.asked == [LINK, "e", "m", "text/html"]


def test_only_what_is_new_in_an_outcome_is_counted() -> None:
    metrics = RecordingMetrics()
    figures = LinkFigures(metrics)

    figures.told(LinkOutcome(link=LINK, stored=1, refused=1))
    figures.told(LinkOutcome(link=LINK, stored=3, refused=1, deleted=2))

    counted = {outcome: metrics.counted[DOCUMENTS.name, outcome] for outcome in DOCUMENTS.values}
    assert counted == {"stored": 3, "unchanged": 0, "deleted": 2, "refused": 1}


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ((LinkState.FINISHED, LinkState.FINISHED), "read"),
        ((LinkState.FINISHED, LinkState.REFUSED), "partly"),
        ((LinkState.REFUSED, LinkState.REFUSED), "refused"),
    ],
)
def test_a_jobs_outcome_is_what_became_of_its_links(states: tuple[LinkState, ...], outcome: str) -> None:
    job = CrawlJob.new(CrawlRequest(links=LINKS), SettableClock().now())
    links = tuple(link.model_copy(update={"state": state}) for link, state in zip(job.links, states, strict=True))

    assert outcome_of(job.model_copy(update={"links": links})) == outcome


def test_the_metrics_are_open_and_tell_the_crawlers_state() -> None:
    degraded, metrics = ComponentStatus(name="crawler", state="degraded"), PrometheusMetrics(METRICS)
    routes = CrawlerRoutes(InMemoryRecordStore(), SettableClock(), lambda: degraded, KEY, metrics)

    answer = TestClient(routes.app()).get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'twin_component_state{component="crawler"} 1.0' in answer.text
