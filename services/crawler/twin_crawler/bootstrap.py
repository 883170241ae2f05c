"""Composition of the crawler, and the one table of what reads which host and kind of link."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag

from twin_contracts.crawl import LinkKind
from twin_contracts.documents import AuthorRef
from twin_crawler.adapters.http_fetcher import HttpFetcher
from twin_crawler.adapters.measured_fetcher import MeasuredFetcher
from twin_crawler.address import AddressPolicy
from twin_crawler.crawl import Crawl
from twin_crawler.crawlers.git import CrawlGit
from twin_crawler.crawlers.page import read_page
from twin_crawler.crawlers.web import CrawlWeb
from twin_crawler.errors import Interrupted
from twin_crawler.jobs import Jobs
from twin_crawler.ports import Fetcher
from twin_crawler.service import CrawlerService
from twin_crawler.table import ANY, CrawlerTable
from twin_platform.documents.port import DocumentStore
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.logs import Logger
from twin_platform.telemetry.metrics import Metrics, NoMetrics

_EXPORT = "its rules forbid programs to read it; ask it for the archive of your data, and `twin import` your texts"
FORBIDDEN = dict.fromkeys(("facebook.com", "instagram.com", "linkedin.com", "twitter.com", "x.com"), _EXPORT)


def build_table(fetcher: Fetcher, policy: AddressPolicy, stop: Flag) -> CrawlerTable:
    """Return the complete table; what has no row of its own is read as any web page or feed."""
    web = CrawlWeb(fetcher, read_page)
    stopped = stop.is_set
    return CrawlerTable(
        {
            (ANY, LinkKind.AUTO): web,
            (ANY, LinkKind.PAGE): CrawlWeb(fetcher, read_page, LinkKind.PAGE),
            (ANY, LinkKind.FEED): CrawlWeb(fetcher, read_page, LinkKind.FEED),
            (ANY, LinkKind.GIT): CrawlGit(policy, stop=stopped),
            ("github.com", LinkKind.GIT): CrawlGit(policy, "github", "{repository}/blob/HEAD/{path}", ".git", stopped),
            ("github.com", LinkKind.AUTO): web,
            ("gitlab.com", LinkKind.GIT): CrawlGit(
                policy, "gitlab", "{repository}/-/blob/HEAD/{path}", ".git", stopped
            ),
            ("gitlab.com", LinkKind.AUTO): web,
            ("bitbucket.org", LinkKind.GIT): CrawlGit(
                policy, "bitbucket", "{repository}/src/HEAD/{path}", ".git", stopped
            ),
            ("codeberg.org", LinkKind.GIT): CrawlGit(policy, "codeberg", "{repository}", ".git", stopped),
            ("bearblog.dev", LinkKind.AUTO): web,
            ("blogspot.com", LinkKind.AUTO): web,
            ("dev.to", LinkKind.AUTO): web,
            ("ghost.io", LinkKind.AUTO): web,
            ("github.io", LinkKind.AUTO): web,
            ("medium.com", LinkKind.AUTO): web,
            ("substack.com", LinkKind.AUTO): web,
            ("wordpress.com", LinkKind.AUTO): web,
        },
        FORBIDDEN,
    )


@dataclass(frozen=True)
class Stores:
    """What the crawler reads and writes, and what takes its figures; opened and closed by who runs it."""

    documents: DocumentStore
    records: RecordStore
    clock: Clock
    metrics: Metrics = field(default_factory=NoMetrics)


@contextmanager
def open_crawler(
    stores: Stores, owner: Callable[[], AuthorRef], allow_hosts: str, name: str, logger: Logger, stop: Flag
) -> Iterator[CrawlerService]:
    """Yield the service, ready to run; its connections are closed afterwards.

    Args:
        owner: the installation's owner, whose text it is where nothing else says.
        allow_hosts: hosts that may be anywhere; see `AddressPolicy`.
        name: under which it claims jobs, see `Jobs`.
        stop: set when the service has to stop; ends what waits.
    """

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise Interrupted

    policy = AddressPolicy(allow_hosts)
    with HttpFetcher(policy, clock=stores.clock, wait=wait) as fetcher:
        table = build_table(MeasuredFetcher(fetcher, stores.metrics, stores.clock), policy, stop)
        crawl = Crawl(table, stores.documents, stores.records, stores.clock, owner)
        yield CrawlerService(Jobs(crawl, stores.records, stores.clock, name, stores.metrics), logger)
