"""Document store in memory: keeps every promise of the port, as long as the process lives."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Self
from uuid import uuid4

from twin_contracts.base import AuthorId, Digest, DocumentId
from twin_contracts.documents import DocumentType, Raw, content_hash
from twin_contracts.events import ZERO, Version
from twin_platform.documents.bodies import body_of, document_of, row_of
from twin_platform.documents.errors import PositionLost
from twin_platform.documents.port import AuthorCount, Change, DeletedDocument, Row, Snapshot, Upserted
from twin_platform.telemetry.clock import Clock


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept under an id; without a body the document is deleted."""

    version: Version
    committed_at: datetime
    content_hash: Digest = ""
    body: bytes | None = None

    def with_body(self, body: bytes) -> "Kept":
        return replace(self, body=body)


@dataclass
class Contents:
    """All that a store holds; a copy of it is a backup."""

    rows: dict[DocumentId, Kept] = field(default_factory=dict)
    store: str = field(default_factory=lambda: uuid4().hex)
    last: Version = ZERO
    forgotten: Version = ZERO

    def copy(self) -> "Contents":
        return Contents(dict(self.rows), self.store, self.last, self.forgotten)


class InMemoryDocumentStore:
    """Holds its documents in `contents`, which a test may copy, replace and spoil while nobody uses the store."""

    def __init__(self, clock: Clock, contents: Contents | None = None) -> None:
        self.contents = contents or Contents()
        self.changed = threading.Condition()
        self._clock = clock

    def upsert(self, document: Raw) -> Upserted:
        now, digest = self._clock.now(), content_hash(document)
        body = body_of(document, now)
        with self.changed:
            kept = self.contents.rows.get(document.id)
            if kept is not None and kept.content_hash == digest and document_of(document.id, kept.body or b""):
                return Upserted(digest, changed=False)
            self.contents.rows[document.id] = Kept(self._allocate(now), now, digest, body)
        return Upserted(digest, changed=True)

    def replace(self, document: Raw, held: Digest) -> bool:
        now = self._clock.now()
        body = body_of(document, now)
        with self.changed:
            kept = self.contents.rows.get(document.id)
            if kept is None or kept.content_hash != held or document_of(document.id, kept.body or b"") is None:
                return False
            self.contents.rows[document.id] = Kept(self._allocate(now), now, content_hash(document), body)
        return True

    def get(self, document_id: DocumentId) -> Raw | None:
        kept = self.contents.rows.get(document_id)
        return document_of(document_id, kept.body) if kept is not None and kept.body is not None else None

    def author_of(self, document_id: DocumentId) -> AuthorId | None:
        document = self.get(document_id)
        return document.author.id if document else None

    def delete(self, document_id: DocumentId) -> bool:
        now = self._clock.now()
        with self.changed:
            if document_id not in self._present():
                return False
            self.contents.rows[document_id] = Kept(self._allocate(now), now)
        return True

    def find(
        self,
        *,
        author: AuthorId | None = None,
        type: DocumentType | None = None,  # noqa: A002 - the port's own name
        after: DocumentId | None = None,
        limit: int = 100,
    ) -> list[Raw]:
        with self.changed:
            ids = [document_id for document_id in sorted(self._present()) if document_id > (after or "")]
        documents = (document for document_id in ids if (document := self.get(document_id)) is not None)
        wanted = (d for d in documents if author in (None, d.author.id) and type in (None, d.type))
        return list(islice(wanted, limit))

    def authors(self) -> list[AuthorCount]:
        with self.changed:
            oldest_first = sorted(self._present().items(), key=lambda item: item[1].version)
        documents = [document for document_id, _ in oldest_first if (document := self.get(document_id)) is not None]
        names = {document.author.id: document.author for document in documents}
        ids = [document.author.id for document in documents]
        return [AuthorCount(names[author], ids.count(author)) for author in sorted(names)]

    def count(self) -> int:
        with self.changed:
            return len(self._present())

    def hashes(self, after: DocumentId | None, limit: int) -> list[tuple[DocumentId, Digest]]:
        with self.changed:
            rows = self._page(after, limit, ZERO)
        return [(row.document_id, row.content_hash) for row in rows if row.content_hash]

    def read(self, ids: Sequence[DocumentId], at_least: Version | None = None) -> Snapshot:
        with self.changed:
            version = self._allocate(self._clock.now(), at_least or ZERO)
            present = self._present()
        wanted = dict.fromkeys(ids)
        rows = tuple(
            _row(document_id, present[document_id], version) for document_id in wanted if document_id in present
        )
        return Snapshot(rows, tuple(document_id for document_id in wanted if document_id not in present), version)

    def scan(self, after: DocumentId | None, limit: int) -> Snapshot:
        with self.changed:
            version = self._allocate(self._clock.now())
            return Snapshot(self._page(after, limit, version), (), version)

    def changes(self, position: str | None) -> "InMemoryChangeFeed":
        with self.changed:
            try:
                return InMemoryChangeFeed(self, self.contents.last if position is None else self.parse(position))
            except PositionLost:
                self._go_past(position or "")
                raise

    def captured(self, position: str) -> bool:
        with self.changed:
            try:
                return not self.later_than(self.parse(position))
            except PositionLost:
                return False

    def headroom(self, position: str) -> float | None:
        return None

    def forget_deletions(self, before: datetime) -> int:
        with self.changed:
            rows = self.contents.rows
            old = [key for key, kept in rows.items() if kept.body is None and kept.committed_at < before]
            for key in old:
                self.contents.forgotten = max(self.contents.forgotten, rows.pop(key).version)
            return len(old)

    def compact(self) -> bool:
        return False

    def close(self) -> None:
        """Hold nothing that could be released."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def parse(self, token: str) -> Version:
        store, _, pair = token.partition(":")
        if store != self.contents.store:
            raise PositionLost(token, "it is not a position of this store")
        seconds, _, increment = pair.partition(".")
        version = Version(seconds=int(seconds), increment=int(increment))
        if not self.contents.forgotten <= version <= self.contents.last:
            raise PositionLost(token, "it is later than the newest version or older than a forgotten deletion")
        return version

    def _go_past(self, token: str) -> None:
        seconds, _, increment = token.partition(":")[2].partition(".")
        if not (seconds.isdecimal() and increment.isdecimal()):
            return
        lost = Version(seconds=int(seconds), increment=int(increment))
        if self.contents.last < lost:
            self.contents.forgotten = self._allocate(self._clock.now(), lost)

    def later_than(self, version: Version) -> list[tuple[DocumentId, Kept]]:
        """Return the rows after `version`, oldest first; to be called holding `changed`."""
        later = [item for item in self.contents.rows.items() if item[1].version > version]
        return sorted(later, key=lambda item: item[1].version)

    def _present(self) -> dict[DocumentId, Kept]:
        return {document_id: kept for document_id, kept in self.contents.rows.items() if kept.body is not None}

    def _page(self, after: DocumentId | None, limit: int, version: Version) -> tuple[Row, ...]:
        present = self._present()
        ids = sorted(document_id for document_id in present if document_id > (after or ""))
        return tuple(_row(document_id, present[document_id], version) for document_id in ids[:limit])

    def _allocate(self, now: datetime, at_least: Version = ZERO) -> Version:
        self.contents.last = Version.after(max(self.contents.last, at_least), now)
        self.changed.notify_all()
        return self.contents.last


class InMemoryChangeFeed:
    """Changes of an `InMemoryDocumentStore`."""

    def __init__(self, store: InMemoryDocumentStore, after: Version) -> None:
        self._store, self._after = store, after

    def read(self, limit: int, wait: float) -> list[Change]:
        with self._store.changed:
            self._store.parse(self.position())
            self._store.changed.wait_for(lambda: self._store.later_than(self._after), timeout=wait)
            later = self._store.later_than(self._after)[:limit]
            self._after = later[-1][1].version if later else self._store.contents.last
        return [
            DeletedDocument(document_id, kept.version, kept.committed_at)
            if kept.body is None
            else _row(document_id, kept, kept.version)
            for document_id, kept in later
        ]

    def position(self) -> str:
        return f"{self._store.contents.store}:{self._after}"

    def close(self) -> None:
        """Hold nothing that could be released."""


def _row(document_id: DocumentId, kept: Kept, version: Version) -> Row:
    return row_of(document_id, version, kept.content_hash, kept.body or b"")
