"""An RSS or Atom feed: one document per entry."""

import calendar
import html
import io
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import feedparser  # type: ignore[import-untyped]  # feedparser ships no types
from pydantic import ValidationError

from twin_contracts.crawl import LinkKind, Refusal
from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawPost, Source, TextFormat, document_id_of
from twin_crawler.address import normalised
from twin_crawler.crawlers.platforms import platform_of
from twin_crawler.errors import FetchFailed, FetchRefused, Reason
from twin_crawler.ports import Authorship, Fetched, Found, Gone, Item, Note

FEEDS = frozenset({"application/atom+xml", "application/rdf+xml", "application/rss+xml", "application/xml", "text/xml"})
"""Media types of a feed; some sites send theirs as `text/html` or `text/plain`."""

MAX_ENTRIES = 500
_PROLOG = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s|<\?.{0,1000}?\?>|<!--.{0,10000}?-->)*", re.DOTALL)
_ROOT = re.compile(rb"<(?:[a-z]{1,10}:)?(rss|feed|rdf)[\s>]", re.IGNORECASE)
_DECLARES = re.compile(rb"<!(doctype(?!\s+html)|entity)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_CUT_SHORT = re.compile(r"(…|\.\.\.|\[…\]|\[\.\.\.\]|read more|continue reading)\W*\Z", re.IGNORECASE)
_UTF_16 = {b"\xff\xfe", b"\xfe\xff"}
_EXCERPT = 1500
"""A text of an entry that is shorter and ends in an ellipsis is only the beginning."""

ReadLink = Callable[[str, Authorship], Raw]
"""Fetches and reads the page behind an entry."""


def looks_like_feed(body: bytes) -> bool:
    """Return whether an answer is a feed by its root element, whatever the site calls it."""
    return _ROOT.match(_after_prolog(body)) is not None


@dataclass(frozen=True)
class ReadFeed:
    """Turn a fetched feed into documents: from what an entry itself says, else from the page that it leads to.

    An entry without a title is a post, one with a title an article.
    """

    read_link: ReadLink

    def __call__(self, feed: Fetched, authorship: Authorship) -> Generator[Item, None, None]:
        """Yield a document or a refusal per entry.

        Raises:
            FetchRefused: it is no feed, or one that could do harm to whoever parses it.
        """
        parsed = _parse(feed)
        entries = parsed.entries[:MAX_ENTRIES]
        yield Found(LinkKind.FEED, len(entries), etag=feed.etag, last_modified=feed.last_modified)
        if len(parsed.entries) > MAX_ENTRIES:
            yield Note(f"the first {MAX_ENTRIES} of {len(parsed.entries):,} entries were read")
        own = {_host(feed.url), _host(parsed.feed.get("link"))}
        byline = _name(parsed.feed)
        for number, entry in enumerate(entries, start=1):
            yield self._item(_Entry(entry, feed.url, number, byline, parsed.feed.get("language")), own, authorship)

    def _item(self, entry: "_Entry", own: set[str], authorship: Authorship) -> Item:
        try:
            byline = AuthorRef.of(entry.byline) if entry.byline else None
            return self._document(entry, own, Authorship(authorship.owner, authorship.given or byline))
        except FetchRefused as error:
            gone = error.reason is Reason.GONE
            why = error.why if error.url in {entry.name, entry.link} or gone else str(error)
            return Gone(error.url, why) if gone else Refusal(what=entry.name, reason=why)
        except FetchFailed as error:
            return Refusal(what=entry.name, reason=error.why)
        except ValidationError as error:
            return Refusal(what=entry.name, reason=error.errors()[0]["msg"])

    def _document(self, entry: "_Entry", own: set[str], authorship: Authorship) -> Item:
        if entry.key is None:
            return Refusal(what=entry.name, reason="it has neither a link nor an id, so it could not be known again")
        if entry.is_whole:
            return entry.document(authorship)
        if entry.link is None:
            return Refusal(what=entry.name, reason="it has neither a text nor a link to one")
        if _host(entry.link) not in own:
            return Refusal(
                what=entry.link, reason="it leads to another site, whose text it is; crawl it by its own link"
            )
        return self.read_link(entry.link, authorship)


@dataclass(frozen=True)
class _Entry:
    """One entry, as feedparser read it: its dictionaries are the one place without types."""

    raw: Any
    feed: str
    number: int
    feed_byline: str | None
    language: str | None

    @property
    def link(self) -> str | None:
        try:
            return normalised(str(self.raw.get("link") or "").strip())
        except FetchRefused:  # a script, a file, a typing error: nothing to cite
            return None

    @property
    def key(self) -> str | None:
        identity = str(self.raw.get("id") or "")
        return self.link or (f"{self.feed}#{identity}" if identity else None)

    @property
    def name(self) -> str:
        given = self.link or self.title or f"entry {self.number}"
        return given.encode("utf-8", "replace").decode().replace("\x00", "")

    @property
    def title(self) -> str:
        return " ".join(html.unescape(_TAG.sub(" ", str(self.raw.get("title") or ""))).split())[:1000]

    @property
    def byline(self) -> str | None:
        return _name(self.raw) or self.feed_byline

    @property
    def text(self) -> str:
        contents = [str(each.get("value") or "") for each in self.raw.get("content") or ()]
        return max([*contents, str(self.raw.get("summary") or "")], key=len)

    @property
    def is_whole(self) -> bool:
        """Return whether the entry holds its text: full content, or a post, which is short by nature."""
        plain = html.unescape(_TAG.sub(" ", self.text)).strip()
        if not plain or (len(plain) < _EXCERPT and _CUT_SHORT.search(plain)):
            return False
        return bool(self.raw.get("content")) or not self.title or self.link is None

    def document(self, authorship: Authorship) -> Raw:
        shared = {
            "id": document_id_of(self.key or ""),
            "author": authorship.of(None),
            "source": Source(platform=platform_of(self.feed), url=self.link),
            "text": self.text,
            "format": TextFormat.HTML,
            "language": self.language,
            "published_at": _moment(self.raw.get("published_parsed") or dict.get(self.raw, "updated_parsed")),
        }
        if not self.title:
            return RawPost.model_validate(shared)
        return RawArticle.model_validate(shared | {"title": self.title})


def _parse(feed: Fetched) -> Any:  # noqa: ANN401 - feedparser's own dictionaries
    start = _after_prolog(feed.body)
    if _DECLARES.match(start):
        why = "it declares a document type, by which a few lines can stand for gigabytes; no feed needs one"
        raise FetchRefused(feed.url, Reason.FEED, why)
    if not _ROOT.match(start):
        page = start[:15].lower().startswith((b"<!doctype html", b"<html"))
        raise FetchRefused(feed.url, Reason.FEED, "it is a web page, no feed" if page else "it is no RSS and no Atom")
    # never by name: feedparser would open files and URLs
    charset = "utf-8" if feed.body[:2] in _UTF_16 else feed.charset
    headers = {"content-location": feed.url} | ({"content-type": f"text/xml; charset={charset}"} if charset else {})
    try:
        parsed = feedparser.parse(io.BytesIO(_in_utf8(feed.body)), response_headers=headers)
    except (ValueError, OverflowError, LookupError) as error:  # what its own reader of broken XML lets out
        raise FetchRefused(feed.url, Reason.FEED, f"its XML cannot be read: {error}") from error
    if parsed.bozo and not parsed.entries:
        raise FetchRefused(feed.url, Reason.FEED, f"its XML cannot be read: {parsed.bozo_exception}")
    return parsed


def _after_prolog(body: bytes) -> bytes:
    """Return what follows the XML declaration and comments, as far as one looks."""
    start = _in_utf8(body)[:20_000]
    return start[_PROLOG.match(start).end() :]  # type: ignore[union-attr]  # it matches the empty string, too


def _in_utf8(body: bytes) -> bytes:
    """Return a body in UTF-16 in UTF-8; any other as it is."""
    return body.decode("utf-16", "replace").encode() if body[:2] in _UTF_16 else body


def _name(raw: Any) -> str | None:  # noqa: ANN401 - the same
    name = str((raw.get("author_detail") or {}).get("name") or raw.get("author") or "").strip()
    return name if name and "@" not in name else None


def _moment(parsed: Any) -> datetime | None:  # noqa: ANN401 - a struct_time in UTC
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError):
        return None


def _host(url: object) -> str:
    try:
        return (urlsplit(str(url or "")).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
