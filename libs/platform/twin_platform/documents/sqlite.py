"""Document store in one SQLite file: what `twin up` runs on."""

import json
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from twin_contracts.base import AuthorId, Digest, DocumentId
from twin_contracts.documents import AuthorRef, DocumentType, Raw, content_hash
from twin_contracts.events import ZERO, Version
from twin_platform.documents.bodies import body_of, document_of, row_of
from twin_platform.documents.errors import PositionLost, StoreUnavailable
from twin_platform.documents.port import AuthorCount, Row, Snapshot, Upserted
from twin_platform.documents.sqlite_feed import SqliteChangeFeed
from twin_platform.documents.sqlite_file import (
    StoredRow,
    Versions,
    allocate,
    fetch,
    forget_before,
    go_past,
    moment_text,
    open_file,
    put,
    put_deletion,
    version_in,
)
from twin_platform.sqlite import compact, moment, transaction, translated
from twin_platform.telemetry.clock import Clock

_AUTHORS = """
SELECT author, author_name, count(*), max(printf('%020d.%020d', seconds, increment)) FROM documents
WHERE author IS NOT NULL GROUP BY author ORDER BY author
"""
"""SQLite takes `author_name` from the row that holds the maximum. An author, not a body: so an index has it all."""


class SqliteDocumentStore:
    """Raw documents, one row each. Safe to use from many threads, and from many processes on one machine.

    A row carries the version of its last change. Versions are allocated inside the write transaction and kept in the
    file, so they rise over restarts and whatever the clock does.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        with translated(path, StoreUnavailable):
            self._connection = open_file(path)

    def upsert(self, document: Raw) -> Upserted:
        """Write unless the content is what the store holds; see the port."""
        now, digest = self._clock.now(), content_hash(document)
        body = body_of(document, now)
        with self._writing() as connection:
            if _holds(connection, document.id, digest):
                return Upserted(digest, changed=False)
            put(connection, document, allocate(connection, now), now, body)
        return Upserted(digest, changed=True)

    def replace(self, document: Raw, held: Digest) -> bool:
        """Write only while the store holds the content with this hash; see the port."""
        now = self._clock.now()
        body = body_of(document, now)
        with self._writing() as connection:
            if not _holds(connection, document.id, held):
                return False
            put(connection, document, allocate(connection, now), now, body)
        return True

    def get(self, document_id: DocumentId) -> Raw | None:
        """Return the document, or None where there is none or what is stored is not valid."""
        with self._reading() as connection:
            rows = fetch(connection, "id = ? AND body IS NOT NULL", (document_id,))
        return document_of(document_id, rows[0].body) if rows else None

    def author_of(self, document_id: DocumentId) -> AuthorId | None:
        """Return whose document it is without reading it; None where there is none."""
        with self._reading() as connection:
            row = connection.execute("SELECT author FROM documents WHERE id = ?", (document_id,)).fetchone()
        return row[0] if row else None

    def delete(self, document_id: DocumentId) -> bool:
        """Remove the document, leaving its id and version for the feed; False where there was none."""
        now = self._clock.now()
        with self._writing() as connection:
            exists = "SELECT 1 FROM documents WHERE id = ? AND body IS NOT NULL"
            if connection.execute(exists, (document_id,)).fetchone() is None:
                return False
            put_deletion(connection, document_id, allocate(connection, now), now)
        return True

    def find(
        self,
        *,
        author: AuthorId | None = None,
        type: DocumentType | None = None,  # noqa: A002 - the contract's own field name
        after: DocumentId | None = None,
        limit: int = 100,
    ) -> list[Raw]:
        """Return documents in id order after `after`; what is stored and not valid is left out."""
        wanted = {"author": author, "type": type.value if type else None}
        filters = {column: value for column, value in wanted.items() if value is not None}
        condition = " AND ".join(["id > ?", "body IS NOT NULL", *(f"{column} = ?" for column in filters)])
        found: list[Raw] = []
        last = after or ""
        while len(found) < limit:
            with self._reading() as connection:
                missing = limit - len(found)
                rows = fetch(connection, f"{condition} ORDER BY id LIMIT ?", (last, *filters.values(), missing))
            if not rows:
                break
            last = rows[-1].id
            found += [document for row in rows if (document := document_of(row.id, row.body)) is not None]
        return found

    def authors(self) -> list[AuthorCount]:
        """Return every author with a document, by id, under the name that their newest document gives."""
        with self._reading() as connection:
            rows = connection.execute(_AUTHORS).fetchall()
        return [AuthorCount(AuthorRef(id=author, name=name), count) for author, name, count, _ in rows]

    def count(self) -> int:
        """Return how many documents the store holds."""
        with self._reading() as connection:
            count: int = connection.execute("SELECT count(*) FROM documents WHERE author IS NOT NULL").fetchone()[0]
        return count

    def hashes(self, after: DocumentId | None, limit: int) -> list[tuple[DocumentId, Digest]]:
        """Return (id, content hash) in id order, as the feed's events carry them; empty means the end."""
        with self._reading() as connection:
            rows = _page(connection, after, limit)
        return [(row.document_id, row.content_hash) for row in _parsed(rows, ZERO) if row.content_hash]

    def read(self, ids: Sequence[DocumentId], at_least: Version | None = None) -> Snapshot:
        """Return the present state of `ids` at a version of its own; see the port."""
        condition = "id IN (SELECT value FROM json_each(?)) AND body IS NOT NULL"
        with self._writing() as connection:
            version = allocate(connection, self._clock.now(), at_least or ZERO)
            rows = fetch(connection, condition, (json.dumps(list(ids)),), step_bytes=sys.maxsize)
        present = {row.id for row in rows}
        absent = tuple(document_id for document_id in dict.fromkeys(ids) if document_id not in present)
        return Snapshot(_parsed(rows, version), absent, version)

    def scan(self, after: DocumentId | None, limit: int) -> Snapshot:
        """Return the next rows in id order at a version of its own, fewer where their bodies are large."""
        with self._writing() as connection:
            version = allocate(connection, self._clock.now())
            rows = _page(connection, after, limit)
        return Snapshot(_parsed(rows, version), (), version)

    def changes(self, position: str | None) -> SqliteChangeFeed:
        """Open the feed after `position`; None means from now on. Whoever opened it closes it."""
        try:
            return SqliteChangeFeed(self._path, position)
        except PositionLost as error:
            lost = version_in(error.position)
            if lost is not None:
                with self._writing() as connection:
                    go_past(connection, lost, self._clock.now())
            raise

    def captured(self, position: str) -> bool:
        """Return whether no row is later than this position; False, too, where a feed could not continue there."""
        with self._reading() as connection:
            try:
                after = Versions.read(connection).parse(position)
            except PositionLost:
                return False
            later = "SELECT 1 FROM documents WHERE (seconds, increment) > (?, ?) LIMIT 1"
            return connection.execute(later, (after.seconds, after.increment)).fetchone() is None

    def headroom(self, position: str) -> None:
        """Say nothing: what is deleted is known for 30 days, whatever is written."""

    def forget_deletions(self, before: datetime) -> int:
        """Drop what is kept of deletions committed before this moment; older positions are lost from then on."""
        condition = "body IS NULL AND committed_at < ?"
        with self._writing() as connection:
            order = f"{condition} ORDER BY seconds DESC, increment DESC LIMIT 1"
            newest = fetch(connection, order, (moment_text(before),))
            if not newest:
                return 0
            forget_before(connection, newest[0].version)
            deleted = connection.execute("DELETE FROM documents WHERE " + condition, (moment_text(before),))  # noqa: S608
            return deleted.rowcount

    def compact(self) -> bool:
        """Give back a step of disk space that is no longer used; see the port."""
        with self._lock, translated(self._path, StoreUnavailable):
            return compact(self._connection)

    def close(self) -> None:
        """Release the store. Idempotent."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        """Return the store; leaving closes it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
        self.close()

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._within(transaction(self._connection))

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._within(moment(self._connection))

    @contextmanager
    def _within(self, scope: AbstractContextManager[None]) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path, StoreUnavailable), scope:
            yield self._connection


def _holds(connection: sqlite3.Connection, document_id: DocumentId, digest: Digest) -> bool:
    """Return whether the store has this very content; what no longer validates is written anew."""
    condition = "id = ? AND content_hash = ? AND body IS NOT NULL"
    return any(document_of(row.id, row.body) for row in fetch(connection, condition, (document_id, digest)))


def _page(connection: sqlite3.Connection, after: DocumentId | None, limit: int) -> list[StoredRow]:
    return fetch(connection, "id > ? AND body IS NOT NULL ORDER BY id LIMIT ?", (after or "", limit))


def _parsed(rows: Sequence[StoredRow], version: Version) -> tuple[Row, ...]:
    return tuple(row_of(row.id, version, row.content_hash, row.body) for row in rows)
