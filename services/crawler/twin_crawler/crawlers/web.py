"""A link on the web: a page or a feed, whatever it answers with."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from twin_contracts.crawl import LinkKind
from twin_contracts.documents import Raw
from twin_crawler.crawlers.feed import FEEDS, ReadFeed, looks_like_feed
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import HTML, Authorship, Fetched, Fetcher, Found, Item, Validators

ReadPage = Callable[[Fetched, Authorship], Raw]
"""Returns the main text of a page that was fetched, or raises `FetchRefused` saying why it has none."""

_LOOSE = frozenset({"text/plain"})
"""How some sites send their feeds."""


@dataclass(frozen=True)
class CrawlWeb:
    """Fetch a link once and read it as what it is.

    Args:
        kind: PAGE and FEED refuse the other one; AUTO takes both.
    """

    fetcher: Fetcher
    page: ReadPage
    kind: LinkKind = LinkKind.AUTO

    def __call__(self, link: str, authorship: Authorship, known: Validators) -> Generator[Item, None, None]:
        """Yield the page's document, or one per entry of the feed."""
        accept = HTML if self.kind is LinkKind.PAGE else HTML | FEEDS | _LOOSE
        fetched = self.fetcher.fetch(link, accept=accept, etag=known.etag, last_modified=known.last_modified)
        if fetched.not_modified:
            yield Found(self.kind, unchanged=True)
        elif self.kind is LinkKind.FEED or (self.kind is LinkKind.AUTO and looks_like_feed(fetched.body)):
            yield from ReadFeed(self._read_link)(fetched, authorship)
        elif fetched.media_type in HTML:
            document = self.page(fetched, authorship)
            yield Found(LinkKind.PAGE, 1, etag=fetched.etag, last_modified=fetched.last_modified)
            yield document
        else:
            why = f"it is {fetched.media_type}, neither a web page nor a feed"
            raise FetchRefused(fetched.url, Reason.MEDIA_TYPE, why)

    def _read_link(self, link: str, authorship: Authorship) -> Raw:
        return self.page(self.fetcher.fetch(link, accept=HTML), authorship)
