"""What crawlers ask of the world: pages, politely and safely fetched; and what is asked of them."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from twin_contracts.crawl import LinkKind, Refusal
from twin_contracts.documents import AuthorRef, Raw

HTML = frozenset({"text/html", "application/xhtml+xml"})
"""Media types of a web page."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer with content, or the word that nothing has changed."""

    url: str
    """Where the content came from, after redirects, normalised."""
    status: int
    """200, or 304 where `not_modified`."""
    body: bytes = b""
    """Decompressed; empty where `not_modified`."""
    media_type: str = ""
    """Lower case, without parameters."""
    charset: str | None = None
    """As the header names it, unchecked."""
    etag: str | None = None
    last_modified: str | None = None
    not_modified: bool = False
    """The site says that what `etag` or `last_modified` stood for is still in force."""


class Fetcher(Protocol):
    """Fetches over http and https. Thread-safe; may block for minutes where a site asks for patience."""

    def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        """Return the content of `url`.

        Args:
            accept: media types wanted, such as `HTML`; None takes any. Others are refused before their body is read.
            etag: of the content already known; with it, or with `last_modified`, the answer may be `not_modified`.
            last_modified: the same, by the header of that name.

        Raises:
            FetchRefused: it never will be; the reason says why (address, robots, too large, gone, …).
            FetchFailed: not now; retries and waiting have been spent.
        """


@dataclass(frozen=True, slots=True)
class Authorship:
    """Whose text it is: who `--author` names, else the byline's, else the installation's owner."""

    owner: AuthorRef
    given: AuthorRef | None = None

    def of(self, byline: str | None) -> AuthorRef:
        """Return the author of a text with this byline."""
        if self.given is not None:
            return self.given
        return AuthorRef.of(byline) if byline and byline.strip() else self.owner


@dataclass(frozen=True, slots=True)
class Found:
    """What a crawler knows of a link before its first document."""

    kind: LinkKind
    expected: int | None = None
    """How many documents and refusals follow."""
    etag: str | None = None
    last_modified: str | None = None
    unchanged: bool = False
    """The site says that nothing has changed since it was known; nothing follows."""
    whole: bool = False
    """What follows is all that there is: a document known from this link and not among it is gone."""


@dataclass(frozen=True, slots=True)
class Note:
    """What who asked should know besides."""

    text: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A page that the link names answers 404 or 410."""

    url: str
    why: str


Item = Found | Raw | Refusal | Gone | Note


@dataclass(frozen=True, slots=True)
class Validators:
    """What a site said of the content that is known, so that it can say whether it is still in force."""

    etag: str | None = None
    last_modified: str | None = None


class Crawler(Protocol):
    """Reads one kind of source. A strategy: the table in `bootstrap.py` says which for which host and kind."""

    def __call__(self, link: str, authorship: Authorship, known: Validators) -> Generator[Item, None, None]:
        """Yield `Found` and then every document of the link, or why one is refused. Closing it releases everything.

        Raises:
            FetchRefused: the link gives nothing, now or later.
            FetchFailed: it may give something later; what was yielded holds.
        """
