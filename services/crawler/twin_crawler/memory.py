"""What the crawler remembers of a link between two crawls, and of a URL that says it is gone."""

from dataclasses import dataclass
from datetime import timedelta

from twin_contracts.base import Contract, DocumentId, Instant, Text
from twin_contracts.crawl import CrawledSource
from twin_contracts.documents import AuthorRef
from twin_crawler.ports import Found
from twin_platform.records.crawls import REMEMBERED, SOURCES, Remembered, source_key
from twin_platform.records.port import Collection, RecordStore
from twin_platform.telemetry.clock import Clock

GONE_FOR = timedelta(days=1)
"""How long a URL has to be gone until its document is deleted: a site may be broken for an afternoon."""


class GoneUrl(Contract):
    """A URL that answered 404 or 410."""

    url: Text
    since: Instant


GONE = Collection("crawl-gone", GoneUrl)


@dataclass(frozen=True)
class Memory:
    """Durable, one record per link and per URL that is gone."""

    records: RecordStore
    clock: Clock

    def of(self, link: str) -> Remembered | None:
        """Return what is known of a link, None before its first crawl that ended."""
        found = self.records.get(REMEMBERED, source_key(link))
        return found.record if found else None

    def learn(self, link: str, author: AuthorRef | None, found: Found, documents: tuple[DocumentId, ...]) -> None:
        """Remember a crawl that read the link to its end."""
        remembered = Remembered(
            kind=found.kind, author=author, documents=documents, etag=found.etag, last_modified=found.last_modified
        )
        self.records.put(REMEMBERED, source_key(link), remembered)
        self.seen(link, remembered)

    def seen(self, link: str, remembered: Remembered) -> None:
        """Say in the list of sources that the link was read."""
        source = CrawledSource(
            url=link,
            kind=remembered.kind,
            author=remembered.author,
            documents=len(remembered.documents),
            crawled_at=self.clock.now(),
        )
        self.records.put(SOURCES, source_key(link), source)
        self.answers(link)

    def is_gone(self, url: str) -> bool:
        """Note that a URL says it is gone; return whether it did so a day ago or earlier, too."""
        key = source_key(url)
        known = self.records.get(GONE, key)
        if known is None:
            since = self.clock.now()
            self.records.put(GONE, key, GoneUrl(url=url, since=since))
            source = self.records.get(SOURCES, key)
            if source is not None:
                self.records.put(SOURCES, key, source.record.model_copy(update={"gone_since": since}))
            return False
        return self.clock.now() - known.record.since >= GONE_FOR

    def answers(self, url: str) -> None:
        """Forget that a URL was gone."""
        key = source_key(url)
        if self.records.get(GONE, key) is not None:
            self.records.delete(GONE, key)

    def forget(self, url: str) -> None:
        """Forget a link whose document was deleted because it is gone."""
        key = source_key(url)
        self.records.delete(REMEMBERED, key)
        self.records.delete(SOURCES, key)
        self.records.delete(GONE, key)
