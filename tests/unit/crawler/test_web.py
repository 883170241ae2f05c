"""Links of a loopback site through the whole table: what each is read as, and what is never stored."""

from collections.abc import Iterator
from threading import Event as Flag

import pytest

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.records import InMemoryRecordStore
from fakes.site import Answer, Site
from twin_contracts.crawl import CrawlJob, CrawlRequest, LinkKind, LinkOutcome, LinkState
from twin_contracts.documents import AuthorRef, Raw
from twin_crawler.address import AddressPolicy
from twin_crawler.bootstrap import Stores, build_table, open_crawler
from twin_crawler.crawlers.git import CrawlGit
from twin_crawler.errors import FetchRefused
from twin_crawler.ports import Fetched
from twin_platform.records.crawls import ask_crawl, crawl_job
from twin_platform.telemetry.logs import Logger

OWNER = AuthorRef.of("Olga Owner")
PARAGRAPHS = "".join(
    f"<p>On day {day} the starter wants {day} spoons of rye flour, a warm place and a baker with patience.</p>"
    for day in range(1, 8)
)
PAGE = f"<html><head><title>Rye</title></head><body><article><h1>Rye</h1>{PARAGRAPHS}</article></body></html>"
FEED = (
    "<rss version='2.0'><channel><link>{site}</link><item><guid>1</guid><description>A thought.</description></item>"
    "<item><title>Rye</title><link>{site}/rye</link><description>A summary.</description></item></channel></rss>"
)


class Silence:
    """A logger that nobody reads."""

    def event(self, name: str, **fields: str | float | None) -> None:
        """Say nothing."""


class World:
    """A crawler that may reach the test's own site, over stores in memory."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.clock = SettableClock()
        self.documents = InMemoryDocumentStore(self.clock)
        self.records = InMemoryRecordStore()
        self.logger: Logger = Silence()

    def crawl(self, link: str, kind: LinkKind = LinkKind.AUTO) -> LinkOutcome:
        stores = Stores(self.documents, self.records, self.clock)
        asked = ask_crawl(self.records, self.clock, CrawlRequest(links=(link,), kind=kind))
        with open_crawler(stores, lambda: OWNER, self.site.allow, "test", self.logger, Flag()) as crawler:
            crawler.jobs.run_next(lambda: False)
        job = crawl_job(self.records, asked.id)
        assert isinstance(job, CrawlJob)
        return job.links[0]

    def stored(self) -> list[Raw]:
        return self.documents.find()


@pytest.fixture
def world() -> Iterator[World]:
    with Site() as site:
        yield World(site)


def test_a_page_is_an_article(world: World) -> None:
    outcome = world.crawl(world.site.page("/rye", PAGE))

    assert (outcome.kind, outcome.stored, outcome.reason) == (LinkKind.PAGE, 1, None)
    (document,) = world.stored()
    assert "7 spoons" in document.text
    assert document.author == OWNER


@pytest.mark.parametrize("media_type", ["application/rss+xml", "text/xml; charset=utf-8", "text/html", "text/plain"])
def test_a_feed_is_known_by_what_it_says_whatever_the_site_calls_it(world: World, media_type: str) -> None:
    world.site.page("/rye", PAGE)
    world.site.page("/feed", FEED.format(site=world.site.url), media_type)

    outcome = world.crawl(f"{world.site.url}/feed")

    assert (outcome.kind, outcome.stored, outcome.refused) == (LinkKind.FEED, 2, 0)
    assert {type(document).__name__ for document in world.stored()} == {"RawPost", "RawArticle"}


def test_an_entry_and_its_page_are_one_document(world: World) -> None:
    world.site.page("/rye", PAGE)
    world.crawl(world.site.page("/feed", FEED.format(site=world.site.url), "text/xml"))

    outcome = world.crawl(f"{world.site.url}/rye")

    assert (outcome.stored, outcome.unchanged) == (0, 1)


def test_an_unchanged_page_is_not_even_sent_again(world: World) -> None:
    page = Answer(PAGE.encode(), headers={"Content-Type": "text/html", "ETag": '"1"'})
    link = world.site.answer("/rye", page, Answer(status=304))
    world.crawl(link)

    outcome = world.crawl(link)

    assert (outcome.unchanged, outcome.kind) == (1, LinkKind.PAGE)
    assert world.site.asked[-1].headers["if-none-match"] == '"1"'


@pytest.mark.parametrize(
    ("kind", "body", "media_type", "why"),
    [
        (LinkKind.FEED, PAGE, "text/html", "web page, no feed"),
        (LinkKind.PAGE, FEED, "application/rss+xml", "application/rss+xml"),
        (LinkKind.AUTO, "%PDF-1.7", "application/pdf", "application/pdf"),
        (LinkKind.AUTO, "Hello", "text/plain", "neither a web page nor a feed"),
        (LinkKind.AUTO, "<!DOCTYPE lolz [<!ENTITY a 'b'>]><lolz>&a;</lolz>", "text/xml", "text/xml"),
        (LinkKind.FEED, "<!DOCTYPE rss [<!ENTITY a 'b'>]><rss>&a;</rss>", "text/xml", "document type"),
        (LinkKind.AUTO, "", "text/html", "no HTML"),
        (LinkKind.GIT, PAGE, "text/html", "not found"),
    ],
)
def test_what_is_not_what_was_asked_for_is_refused_and_nothing_is_stored(
    world: World, kind: LinkKind, body: str, media_type: str, why: str
) -> None:
    outcome = world.crawl(world.site.page("/x", body, media_type), kind)

    assert outcome.state is LinkState.REFUSED
    assert why in (outcome.reason or "")
    assert world.stored() == []


class Unasked:
    """A fetcher that nothing is asked of."""

    def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        raise AssertionError(url)


TABLE = build_table(Unasked(), AddressPolicy(), Flag())


@pytest.mark.parametrize(
    ("link", "platform", "source"),
    [
        ("https://github.com/olga/mill", "github", "https://github.com/olga/mill"),
        ("https://GitHub.com/olga/mill/", "github", "https://github.com/olga/mill"),
        ("https://github.com/olga/mill.git", "github", "https://github.com/olga/mill"),
        ("https://gitlab.com/olga/mill", "gitlab", "https://gitlab.com/olga/mill"),
        ("https://gitlab.com/group/part/mill.git", "gitlab", "https://gitlab.com/group/part/mill"),
        ("https://git.example/olga/mill.git", "git", "https://git.example/olga/mill"),
    ],
)
def test_a_repository_is_known_by_its_host_or_its_ending(link: str, platform: str, source: str) -> None:
    choice = TABLE.choose(link, LinkKind.AUTO)

    assert isinstance(choice.crawler, CrawlGit)
    assert (choice.crawler.platform, choice.source, choice.unknown_host) == (platform, source, None)


@pytest.mark.parametrize(
    ("link", "unknown"),
    [
        ("https://github.com/olga", None),
        ("https://github.com/olga/mill/blob/main/README.md", None),
        ("https://olga.substack.com/p/rye", None),
        ("https://medium.com/@olga/rye-1", None),
        ("https://notmedium.com/rye", "notmedium.com"),
        ("https://blog.example/olga/mill", "blog.example"),
    ],
)
def test_everything_else_is_read_as_the_web_and_an_unknown_host_is_named(link: str, unknown: str | None) -> None:
    choice = TABLE.choose(link, LinkKind.AUTO)

    assert not isinstance(choice.crawler, CrawlGit)
    assert choice.unknown_host == unknown


@pytest.mark.parametrize(
    "link", ["https://www.linkedin.com/in/olga", "https://x.com/olga/status/1", "http://twitter.com/o"]
)
@pytest.mark.parametrize("kind", list(LinkKind))
def test_sites_that_forbid_programs_are_never_read(link: str, kind: LinkKind) -> None:
    with pytest.raises(FetchRefused, match="archive"):
        TABLE.choose(link, kind)
