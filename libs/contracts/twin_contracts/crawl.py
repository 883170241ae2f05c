"""Crawling: what is asked for, how far it is, what became of each link."""

from enum import StrEnum
from typing import Annotated
from uuid import uuid4

from pydantic import ConfigDict, Field, NonNegativeInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, DocumentId, Instant, Text
from twin_contracts.documents import AuthorRef

MAX_LINKS = 100
MAX_LISTED = 1000
"""Most ids, and most refusals, that one link's outcome lists; the counts beside them count all."""

Link = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=8, max_length=2000, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x1f]+$"
    ),
]
"""An http or https URL; what it may name is decided by the crawler, which looks where it leads."""


class LinkKind(StrEnum):
    """What a link is read as."""

    AUTO = "auto"
    """Whatever its host, its form or its answer says it is."""
    PAGE = "page"
    FEED = "feed"
    GIT = "git"


class LinkState(StrEnum):
    """How far one link is."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    """Nothing of it was stored; `reason` says why."""


class CrawlState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


class CrawlRequest(Contract):
    """Body of `POST /v1/crawls`."""

    model_config = ConfigDict(extra="forbid")

    links: Annotated[tuple[Link, ...], Field(min_length=1, max_length=MAX_LINKS)]
    author: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = None
    """Whose texts these are; without it the byline or the feed's author, else the installation's owner."""
    kind: LinkKind = LinkKind.AUTO


class Refusal(Contract):
    """One text of a link that was not stored."""

    what: Text
    """Its URL, or its path in the repository."""
    reason: Text


class LinkOutcome(Contract):
    """What became of one link so far."""

    link: Text
    state: LinkState = LinkState.WAITING
    kind: LinkKind | None = None
    """What it was read as; None before it was looked at."""
    expected: NonNegativeInt | None = None
    """How many documents it will be, where that is known."""
    stored: NonNegativeInt = 0
    unchanged: NonNegativeInt = 0
    deleted: NonNegativeInt = 0
    refused: NonNegativeInt = 0
    refusals: Annotated[tuple[Refusal, ...], Field(max_length=MAX_LISTED)] = ()
    documents: Annotated[tuple[DocumentId, ...], Field(max_length=MAX_LISTED)] = ()
    """What was stored, the first thousand: whose status can be asked."""
    tries: NonNegativeInt = 0
    """How often a crawler died while it worked on it."""
    note: Text | None = None
    """What who asked should know besides."""
    reason: Text | None = None
    """Why the link was refused as a whole."""


class Claim(Contract):
    """Which crawler works on a job; another one may take it when `until` is past."""

    by: Text
    until: Instant


class CrawlJob(Contract):
    """A crawl from its request to its end; what is finished of it is never done again."""

    id: DocumentId
    state: CrawlState = CrawlState.WAITING
    kind: LinkKind = LinkKind.AUTO
    author: AuthorRef | None = None
    authors: tuple[AuthorId, ...] | None = None
    """Whose documents may be replaced or deleted: the authors of the key that asked; None: anybody's."""
    links: Annotated[tuple[LinkOutcome, ...], Field(min_length=1, max_length=MAX_LINKS)]
    requested_at: Instant
    started_at: Instant | None = None
    finished_at: Instant | None = None
    claim: Claim | None = None

    @classmethod
    def new(
        cls, request: CrawlRequest, requested_at: Instant, authors: tuple[AuthorId, ...] | None = None
    ) -> "CrawlJob":
        """Return a waiting job under a new id; a link that is named twice is one link."""
        return cls(
            id=str(uuid4()),
            kind=request.kind,
            author=AuthorRef.of(request.author) if request.author else None,
            authors=authors,
            links=tuple(LinkOutcome(link=link) for link in dict.fromkeys(request.links)),
            requested_at=requested_at,
        )


class CrawledSource(Contract):
    """A link that documents came from."""

    url: Text
    kind: LinkKind
    author: AuthorRef | None = None
    """Whose it was said to be."""
    documents: NonNegativeInt
    """How many documents are known to come from it."""
    crawled_at: Instant
    """When it was last read to its end."""
    gone_since: Instant | None = None
    """When it first answered that it is gone; what it holds is deleted if it says so again a day later."""


class SourcePage(Contract):
    """One page of `GET /v1/sources`; `next` is the cursor of the following page, None on the last."""

    items: tuple[CrawledSource, ...]
    next: DocumentId | None = None
