"""Where document stores lie in tests, and what their contracts share."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from typing import Protocol

import pytest

from fakes.clock import SettableClock
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import AuthorRef, RawArticle, RawPost, Source, document_id_of
from twin_platform.documents.port import Change, DocumentStore

NOT_JSON = b'{"type": "post", "text": '
ADA = AuthorRef.of("Ada Lovelace")
BOB = AuthorRef.of("Bob")


class DocumentHome(Protocol):
    """Where documents lie, and what a test does to them behind the store's back."""

    def open(self, clock: SettableClock) -> DocumentStore:
        """Open the store on what lies here."""

    def create_anew(self) -> None:
        """Lose everything. No store is open."""

    def spoil(self, document_id: DocumentId, body: bytes) -> Digest:
        """Replace what is stored under this id by these bytes, or what comes nearest; return how they are known."""


class RowHome(DocumentHome, Protocol):
    """Where the documents of a store lie that allocates its versions itself: a backup takes it back behind them."""

    def back_up(self) -> None:
        """Remember what lies here. No store is open."""

    def restore(self) -> None:
        """Put back what was remembered. No store is open."""


def post(name: str, text: str = "hello", author: AuthorRef = ADA) -> RawPost:
    """Return a post of the id that follows from `name`."""
    return RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text=text)


def article(name: str, author: AuthorRef = ADA) -> RawArticle:
    """Return an article of the id that follows from `name`."""
    source = Source(platform="test", url=f"https://example.org/{name}")
    return RawArticle(id=document_id_of(name), author=author, source=source, title=name, text="# hello")


def of_size(size: int, committed_at: datetime) -> RawPost:
    """Return a post that has `size` bytes as stored at this moment, most of them in characters of two bytes."""
    rest = size - len(post("large", "").model_copy(update={"committed_at": committed_at}).model_dump_json().encode())
    return post("large", "é" * (rest // 2) + "x" * (rest % 2))


def changes_after(store: DocumentStore, position: str) -> list[Change]:
    """Return all changes after a position."""
    found: list[Change] = []
    with closing(store.changes(position)) as feed:
        while True:
            found += feed.read(limit=3, wait=0.01)
            if store.captured(feed.position()):
                return found


def now_position(store: DocumentStore) -> str:
    """Return the position of a feed from now on."""
    with closing(store.changes(None)) as feed:
        return feed.position()


def names_to_ids(names: Iterable[str]) -> list[DocumentId]:
    """Return the ids of documents of these names, in id order."""
    return sorted(document_id_of(name) for name in names)


class OnDocumentHome:
    """Fixtures of the contracts; whoever binds them adds `home`, empty at first."""

    @pytest.fixture
    def clock(self) -> SettableClock:
        return SettableClock()

    @pytest.fixture
    def store(self, home: DocumentHome, clock: SettableClock) -> Iterator[DocumentStore]:
        with home.open(clock) as store:
            yield store
