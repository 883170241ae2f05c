"""Jobs: one crawler works on one, what is finished is never done again, a dead crawler's work is taken up."""

from collections.abc import Generator
from datetime import timedelta
from threading import Event as Flag

import pytest

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.metrics import RecordingMetrics
from fakes.records import InMemoryRecordStore
from twin_contracts.crawl import CrawlJob, CrawlRequest, CrawlState, LinkKind, LinkState
from twin_contracts.documents import AuthorRef, RawPost, Source, document_id_of
from twin_crawler.crawl import Crawl
from twin_crawler.jobs import LEASE, MOST_TRIES, Jobs
from twin_crawler.metrics import DOCUMENTS, JOBS, JOBS_OPEN
from twin_crawler.ports import Authorship, Found, Item, Validators
from twin_crawler.service import CrawlerService
from twin_crawler.table import ANY, CrawlerTable
from twin_platform.documents.errors import StoreUnavailable
from twin_platform.records.crawls import CRAWLS, FINISHED_CRAWLS, KEPT, ask_crawl, crawl_job

OWNER = AuthorRef.of("Olga Owner")
LINKS = tuple(f"https://blog.example/{number}" for number in range(3))


class Killed(BaseException):
    """What ends a crawler without a word."""


class World:
    """Jobs over stores in memory; `at` is called with each link before it is read."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.records = InMemoryRecordStore()
        self.documents = InMemoryDocumentStore(self.clock)
        self.metrics = RecordingMetrics()
        self.read: list[str] = []
        self.errors: dict[str, BaseException] = {}
        self.stopped = False
        self.stop_at: str | None = None

    def crawler(self, name: str = "one") -> Jobs:
        table = CrawlerTable({(ANY, kind): self.crawl for kind in LinkKind}, {})
        crawl = Crawl(table, self.documents, self.records, self.clock, lambda: OWNER)
        return Jobs(crawl, self.records, self.clock, name, self.metrics)

    def crawl(self, link: str, authorship: Authorship, known: Validators) -> Generator[Item, None, None]:
        self.read.append(link)
        yield Found(LinkKind.PAGE, 1)
        self.stopped = self.stopped or link == self.stop_at
        yield RawPost(id=document_id_of(link), author=OWNER, source=Source(platform="web", url=link), text="Rye.")
        if link in self.errors:
            raise self.errors[link]

    def ask(self) -> CrawlJob:
        return ask_crawl(self.records, self.clock, CrawlRequest(links=LINKS))

    def run(self, jobs: Jobs) -> bool:
        return jobs.run_next(lambda: self.stopped)

    def job(self, asked: CrawlJob) -> CrawlJob:
        job = crawl_job(self.records, asked.id)
        assert job is not None
        return job


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_is_worked_off_and_kept_for_who_asks(world: World) -> None:
    asked = world.ask()

    assert world.run(world.crawler())

    job = world.job(asked)
    assert (job.state, job.claim, [link.stored for link in job.links]) == (CrawlState.FINISHED, None, [1, 1, 1])
    assert (job.started_at, job.finished_at) == (world.clock.now(), world.clock.now())
    assert not world.run(world.crawler())


def test_a_jobs_documents_are_counted_and_it_is_open_until_it_ends(world: World) -> None:
    world.ask()
    crawler = world.crawler()
    before = world.metrics.read(JOBS_OPEN)

    world.run(crawler)

    during = world.metrics.read(JOBS_OPEN)
    world.run(crawler)
    assert (before, during, world.metrics.read(JOBS_OPEN)) == (None, 1.0, 0.0)
    assert (world.metrics.counted[DOCUMENTS.name, "stored"], world.metrics.counted[JOBS.name, "read"]) == (3, 1)


def test_what_an_interrupted_crawler_has_stored_is_counted_by_the_next_one_anew(world: World) -> None:
    world.ask()
    world.stop_at = LINKS[1]
    world.run(world.crawler())
    world.stopped, world.stop_at = False, None

    world.run(world.crawler())

    assert world.metrics.counted[DOCUMENTS.name, "stored"] == 4


def test_a_killed_crawler_takes_its_job_up_where_it_was(world: World) -> None:
    asked = world.ask()
    world.errors[LINKS[1]] = Killed()
    with pytest.raises(Killed):
        world.run(world.crawler())
    world.errors.clear()

    assert world.run(world.crawler())

    assert world.read == [LINKS[0], LINKS[1], LINKS[1], LINKS[2]]
    assert world.job(asked).state is CrawlState.FINISHED


def test_another_crawler_waits_until_the_claim_of_a_dead_one_has_run_out(world: World) -> None:
    world.ask()
    world.errors[LINKS[1]] = Killed()
    with pytest.raises(Killed):
        world.run(world.crawler("one"))
    world.errors.clear()
    waits = not world.run(world.crawler("two"))
    world.clock.turn(LEASE + timedelta(seconds=1))

    assert waits
    assert world.run(world.crawler("two"))


def test_a_crawler_that_lost_its_job_to_another_writes_nothing_more_about_it(world: World) -> None:
    asked = world.ask()
    other = world.crawler("two")

    def crawl(link: str, authorship: Authorship, known: Validators) -> Generator[Item, None, None]:
        if link == LINKS[1] and link not in world.read:
            world.clock.turn(LEASE + timedelta(seconds=1))
            world.run(other)
        yield from world.crawl(link, authorship, known)

    table = CrawlerTable({(ANY, kind): crawl for kind in LinkKind}, {})
    slow = Jobs(
        Crawl(table, world.documents, world.records, world.clock, lambda: OWNER), world.records, world.clock, "one"
    )

    world.run(slow)

    assert world.job(asked).state is CrawlState.FINISHED
    assert world.records.find(CRAWLS) == []


def test_a_link_that_ends_the_crawler_again_and_again_is_given_up(world: World) -> None:
    asked = world.ask()
    world.errors[LINKS[1]] = Killed()
    for _ in range(MOST_TRIES):
        with pytest.raises(Killed):
            world.run(world.crawler())

    assert world.run(world.crawler())

    states = [link.state for link in world.job(asked).links]
    assert states == [LinkState.FINISHED, LinkState.REFUSED, LinkState.FINISHED]


def test_a_store_that_is_away_is_no_fault_of_the_link(world: World) -> None:
    asked = world.ask()
    world.errors[LINKS[1]] = StoreUnavailable("locked")
    for _ in range(MOST_TRIES + 1):
        with pytest.raises(StoreUnavailable):
            world.run(world.crawler())
    world.errors.clear()

    assert world.run(world.crawler())

    assert [link.tries for link in world.job(asked).links] == [0, 0, 0]


def test_a_stop_leaves_the_link_for_the_next_start(world: World) -> None:
    asked = world.ask()
    world.stop_at = LINKS[1]

    world.run(world.crawler())

    assert [link.state for link in world.job(asked).links] == [LinkState.FINISHED, LinkState.WAITING, LinkState.WAITING]
    world.stopped, world.stop_at = False, None
    world.run(world.crawler())
    assert world.job(asked).state is CrawlState.FINISHED


def test_finished_jobs_are_forgotten_after_a_week(world: World) -> None:
    old = world.ask()
    world.run(world.crawler())
    world.clock.turn(KEPT + timedelta(seconds=1))
    new = world.ask()

    world.run(world.crawler())

    assert [stored.key for stored in world.records.find(FINISHED_CRAWLS)] == [new.id]
    assert crawl_job(world.records, old.id) is None


class Lines:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.states: list[object] = []

    def event(self, name: str, **fields: str | float | None) -> None:
        self.states.append(fields["state"])


def test_the_service_waits_out_a_store_that_is_away(world: World) -> None:
    asked = world.ask()
    world.errors[LINKS[0]] = StoreUnavailable("locked")
    lines = Lines()
    service = CrawlerService(world.crawler(), lines)

    class Wait(Flag):
        """Makes the store answer while the service waits, and stops it when the job is done."""

        def wait(self, timeout: float | None = None) -> bool:
            world.errors.clear()
            if world.job(asked).state is CrawlState.FINISHED:
                self.set()
            return True

    service.run(Wait())

    assert lines.states == ["degraded", "running", "stopped"]
