"""Errors of the crawler: what is refused stays refused, what failed may be tried again."""

import re
from enum import StrEnum

from twin_platform.errors import PermanentError, PlatformError, TransientError

_CREDENTIALS = re.compile(r"(?<=//)[^/?#]*@")
_SHOWN_CHARACTERS = 300


class CrawlError(PlatformError):
    """Base of every error that the crawler raises on purpose."""


class Interrupted(CrawlError):
    """The crawler is being stopped; the link is taken up at its next start."""


class Reason(StrEnum):
    """Why a link gives no document, for programs; the sentence beside it is for people."""

    SCHEME = "scheme"
    """Neither http nor https."""
    URL = "url"
    """No URL that can be fetched: malformed, too long, no host."""
    CREDENTIALS = "credentials"
    """A user name or password stands in it."""
    HOST = "host"
    """No such host."""
    ADDRESS = "address"
    """The host is not on the public internet."""
    REDIRECTS = "redirects"
    """Too many, or one that leads nowhere."""
    DOWNGRADE = "downgrade"
    """A redirect from https to http."""
    ROBOTS = "robots"
    """The site's robots.txt asks not to."""
    GONE = "gone"
    """404 or 410: the one answer that may delete a document."""
    FORBIDDEN = "forbidden"
    """401, 402, 403, 407 or 451."""
    STATUS = "status"
    """Any other answer without a document."""
    MEDIA_TYPE = "media type"
    """Another kind of content than asked for."""
    ENCODING = "encoding"
    """Compressed in a way that is not read here, or damaged."""
    TOO_LARGE = "too large"
    """More bytes than a document may have, on the wire or decompressed; or of headers."""
    TOO_SLOW = "too slow"
    """Answers, but never comes to its end."""
    BLOCK_PAGE = "block page"
    """A login wall, a captcha or a request for JavaScript instead of the text."""
    FEED = "feed"
    """No feed, or one whose XML does harm to who reads it."""
    NO_TEXT = "no text"
    """Nothing that reads like a text."""


class FetchRefused(CrawlError, PermanentError):
    """A link that gives no document; trying again changes nothing.

    `url` is the address that was refused: behind a redirect, the one it led to.
    """

    def __init__(self, url: str, reason: Reason, why: str) -> None:
        self.url, self.reason, self.why = url, reason, why
        super().__init__(f"{shown(url)} is refused: {why}")


class FetchFailed(CrawlError, TransientError):
    """A link that could not be fetched now; `retry_after` says in how many seconds the site wants to be asked again."""

    def __init__(self, url: str, why: str, retry_after: float | None = None) -> None:
        self.url, self.why, self.retry_after = url, why, retry_after
        super().__init__(f"{shown(url)} could not be fetched: {why}")


def shown(url: str) -> str:
    """Return a URL as messages and logs may show it: quoted, cut, without credentials."""
    without = _CREDENTIALS.sub("…@", url)
    return repr(without if len(without) <= _SHOWN_CHARACTERS else without[:_SHOWN_CHARACTERS] + "…")
