"""One link: what is stored, what is not written again, what is deleted and what is never deleted."""

from collections.abc import Callable, Generator
from datetime import timedelta

import pytest

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.records import InMemoryRecordStore
from twin_contracts.crawl import CrawlJob, CrawlRequest, LinkKind, LinkOutcome, LinkState, Refusal
from twin_contracts.documents import AuthorRef, RawArticle, Source, document_id_of
from twin_crawler.crawl import Crawl
from twin_crawler.errors import FetchFailed, FetchRefused, Reason
from twin_crawler.ports import Authorship, Found, Gone, Item, Note, Validators
from twin_crawler.table import ANY, CrawlerTable
from twin_platform.records.crawls import REMEMBERED, SOURCES

OWNER = AuthorRef.of("Olga Owner")
ANN = AuthorRef.of("Ann")
LINK = "https://blog.example/rye"
Script = Callable[[Authorship], list[Item]]


def article(url: str, text: str = "Rye bread.", author: AuthorRef = OWNER) -> RawArticle:
    return RawArticle(
        id=document_id_of(url), author=author, source=Source(platform="web", url=url), title="Rye", text=text
    )


class World:
    """A crawler that gives what the test puts into `items`, over stores in memory."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.documents = InMemoryDocumentStore(self.clock)
        self.records = InMemoryRecordStore()
        self.items: list[Item] = []
        self.error: Exception | None = None
        self.asked: list[tuple[Authorship, Validators]] = []
        self.closed = 0
        rows = {(ANY, kind): self.read for kind in LinkKind}
        table = CrawlerTable(rows, {"walled.example": "its rules forbid it"})
        self.crawl = Crawl(table, self.documents, self.records, self.clock, lambda: OWNER)

    def read(self, link: str, authorship: Authorship, known: Validators) -> Generator[Item, None, None]:
        self.asked.append((authorship, known))
        try:
            yield from self.items
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    def run(
        self, *items: Item, link: str = LINK, author: str | None = None, authors: tuple[str, ...] | None = None
    ) -> LinkOutcome:
        self.items = list(items)
        job = CrawlJob.new(CrawlRequest(links=(link,), author=author), self.clock.now(), authors)
        return self.crawl(job, job.links[0], lambda _: None)

    def fail(self, error: Exception, *items: Item) -> LinkOutcome:
        self.error = error
        try:
            return self.run(*items)
        finally:
            self.error = None

    def has(self, url: str) -> bool:
        return self.documents.get(document_id_of(url)) is not None


@pytest.fixture
def world() -> World:
    return World()


PAGE = Found(LinkKind.PAGE, 1, etag='"1"')
GONE = FetchRefused(LINK, Reason.GONE, "it answers 404")


def test_what_is_new_is_stored_and_what_is_unchanged_is_not_written_again(world: World) -> None:
    first = world.run(PAGE, article(LINK))
    version = world.documents.contents.last

    second = world.run(PAGE, article(LINK))

    assert (first.state, first.kind, first.stored, first.unchanged) == (LinkState.FINISHED, LinkKind.PAGE, 1, 0)
    assert (second.state, second.stored, second.unchanged) == (LinkState.FINISHED, 0, 1)
    assert first.documents == (document_id_of(LINK),)
    assert world.documents.contents.last == version


def test_a_site_is_asked_whether_what_is_known_is_still_in_force(world: World) -> None:
    world.run(PAGE, article(LINK))

    outcome = world.run(Found(LinkKind.AUTO, unchanged=True))

    assert world.asked[-1][1] == Validators(etag='"1"')
    assert (outcome.unchanged, outcome.kind) == (1, LinkKind.PAGE)


def test_a_site_is_not_asked_so_where_the_document_was_deleted_here_or_becomes_anothers(world: World) -> None:
    world.run(PAGE, article(LINK))
    world.run(PAGE, article(LINK), author="Ann")
    other = world.asked[-1][1]
    world.documents.delete(document_id_of(LINK))

    world.run(PAGE, article(LINK), author="Ann")

    assert (other, world.asked[-1][1]) == (Validators(), Validators())
    assert world.has(LINK)


def test_a_link_stays_whose_it_was_said_to_be(world: World) -> None:
    world.run(PAGE, article(LINK), author="Ann")

    world.run(PAGE, article(LINK))

    assert [authorship.given for authorship, _ in world.asked] == [ANN, ANN]


def test_a_page_gone_twice_a_day_apart_is_deleted(world: World) -> None:
    world.run(PAGE, article(LINK))
    first = world.fail(GONE)
    world.clock.turn(timedelta(hours=23))
    too_soon = world.fail(GONE)
    still = world.has(LINK)
    world.clock.turn(timedelta(hours=1))

    last = world.fail(GONE)

    assert (first.deleted, too_soon.deleted, last.deleted) == (0, 0, 1)
    assert still
    assert not world.has(LINK)
    assert world.records.find(SOURCES) == []


def test_a_page_that_came_back_in_between_begins_anew(world: World) -> None:
    world.run(PAGE, article(LINK))
    world.fail(GONE)
    world.clock.turn(timedelta(days=1))
    world.run(PAGE, article(LINK))

    world.fail(GONE)

    assert world.has(LINK)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.GONE])
def test_no_other_refusal_deletes_anything(world: World, reason: Reason) -> None:
    world.run(PAGE, article(LINK))
    for _ in range(3):
        world.clock.turn(timedelta(days=2))
        outcome = world.fail(FetchRefused(LINK, reason, "a reason"))

    assert world.has(LINK)
    assert outcome.state is LinkState.REFUSED
    assert "a reason" in (outcome.reason or "")


def test_a_site_that_is_down_deletes_nothing(world: World) -> None:
    world.run(PAGE, article(LINK))
    for _ in range(3):
        world.clock.turn(timedelta(days=2))
        outcome = world.fail(FetchFailed(LINK, "it answers 503"))

    assert world.has(LINK)
    assert outcome.state is LinkState.REFUSED


def test_another_page_behind_a_redirect_that_is_gone_deletes_nothing(world: World) -> None:
    world.run(PAGE, article(LINK))
    for _ in range(2):
        world.clock.turn(timedelta(days=2))
        world.fail(FetchRefused("https://blog.example/404", Reason.GONE, "it answers 404"))

    assert world.has(LINK)


def test_a_post_that_rolled_off_its_feed_stays(world: World) -> None:
    feed = Found(LinkKind.FEED, 2)
    world.run(feed, article(f"{LINK}/1"), article(f"{LINK}/2"))

    world.run(feed, article(f"{LINK}/2"))

    assert world.has(f"{LINK}/1")


def test_a_page_of_a_feed_that_is_gone_for_a_day_is_deleted(world: World) -> None:
    feed = Found(LinkKind.FEED, 1)
    world.run(feed, article(f"{LINK}/1"))
    world.run(feed, Gone(f"{LINK}/1", "it answers 410"))
    world.clock.turn(timedelta(days=1))

    outcome = world.run(feed, Gone(f"{LINK}/1", "it answers 410"))

    assert (outcome.deleted, outcome.refused) == (1, 1)
    assert not world.has(f"{LINK}/1")


WHOLE = Found(LinkKind.GIT, 2, etag="c1", whole=True)


def test_what_a_completed_fetch_of_a_repository_no_longer_has_is_deleted(world: World) -> None:
    world.run(WHOLE, article(f"{LINK}/a"), article(f"{LINK}/b"))

    outcome = world.run(WHOLE, article(f"{LINK}/b"))

    assert (outcome.stored, outcome.unchanged, outcome.deleted) == (0, 1, 1)
    assert not world.has(f"{LINK}/a")


@pytest.mark.parametrize("error", [FetchFailed(LINK, "reset"), FetchRefused(LINK, Reason.TOO_SLOW, "slow"), GONE])
def test_a_fetch_of_a_repository_that_did_not_complete_deletes_nothing(world: World, error: Exception) -> None:
    world.run(WHOLE, article(f"{LINK}/a"), article(f"{LINK}/b"))

    outcome = world.fail(error, WHOLE, article(f"{LINK}/b"))

    assert (outcome.deleted, outcome.unchanged, outcome.state) == (0, 1, LinkState.FINISHED)
    assert outcome.reason is not None
    assert world.has(f"{LINK}/a")


def test_what_was_refused_once_is_read_again(world: World) -> None:
    world.run(Found(LinkKind.FEED, 2, etag='"1"'), article(LINK), Refusal(what="b", reason="it answers 503"))

    world.run(PAGE, article(LINK))

    assert world.asked[-1][1] == Validators()


def test_a_link_taken_up_again_counts_what_was_stored_before(world: World) -> None:
    world.run(PAGE, article(LINK))
    job = CrawlJob.new(CrawlRequest(links=(LINK,)), world.clock.now())
    before = job.links[0].model_copy(update={"state": LinkState.RUNNING, "documents": (document_id_of(LINK),)})

    outcome = world.crawl(job, before, lambda _: None)

    assert (outcome.stored, outcome.unchanged) == (1, 0)


def test_a_bound_key_replaces_and_deletes_no_document_of_another_author(world: World) -> None:
    world.run(WHOLE, article(f"{LINK}/a"), article(f"{LINK}/b"))

    outcome = world.run(WHOLE, article(f"{LINK}/a", "Mine now.", ANN), author="Ann", authors=("ann",))

    assert (outcome.stored, outcome.refused, outcome.deleted) == (0, 1, 0)
    assert "another author" in outcome.refusals[0].reason
    kept = world.documents.get(document_id_of(f"{LINK}/a"))
    assert kept is not None
    assert kept.author == OWNER
    assert world.has(f"{LINK}/b")


@pytest.mark.parametrize("author", [None, "Olga Owner"])
def test_a_bound_key_changes_nothing_of_what_is_known_of_anothers_link(world: World, author: str | None) -> None:
    world.run(WHOLE, article(f"{LINK}/a"), article(f"{LINK}/b"), author=author)
    before = world.records.find(SOURCES), world.records.find(REMEMBERED)
    world.run(WHOLE, article(f"{LINK}/a", author=ANN), author="Ann", authors=("ann",))
    unchanged = world.records.find(SOURCES), world.records.find(REMEMBERED)

    outcome = world.run(WHOLE, article(f"{LINK}/b"))

    assert unchanged == before
    assert world.asked[-1][0].given == (AuthorRef.of(author) if author else None)
    assert outcome.deleted == 1


def test_a_page_read_from_the_link_of_a_repository_is_not_gone_with_its_files(world: World) -> None:
    world.run(PAGE, article(LINK), link=LINK)

    outcome = world.run(WHOLE, article(f"{LINK}/a"), link=LINK)

    assert outcome.deleted == 0
    assert world.has(LINK)


def test_a_document_too_large_for_the_store_is_refused_and_its_neighbours_stay(world: World) -> None:
    outcome = world.run(Found(LinkKind.FEED, 2), article(f"{LINK}/1", "x" * 9_000_000), article(f"{LINK}/2"))

    assert (outcome.stored, outcome.refused) == (1, 1)
    assert "8,388,608" in outcome.refusals[0].reason


def test_an_unknown_host_is_read_as_a_page_and_that_is_said(world: World) -> None:
    outcome = world.run(PAGE, article(LINK), Note("left out: 1"))

    assert outcome.note == "nothing particular is known of blog.example; read as a web page; left out: 1"


@pytest.mark.parametrize("link", ["https://walled.example/x", "https://www.walled.example/in/olga"])
def test_a_host_that_forbids_programs_is_never_asked(world: World, link: str) -> None:
    outcome = world.run(link=link)

    assert outcome.state is LinkState.REFUSED
    assert world.asked == []


def test_a_reading_that_ends_early_is_closed(world: World) -> None:
    def stop(_: LinkOutcome) -> None:
        raise KeyError

    world.items = [PAGE, article(LINK)]
    job = CrawlJob.new(CrawlRequest(links=(LINK,)), world.clock.now())

    with pytest.raises(KeyError):
        world.crawl(job, job.links[0], stop)

    assert world.closed == 1
