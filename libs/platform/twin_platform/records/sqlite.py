"""Record store in one SQLite file, another one than the documents', so that it never enters their feed."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from twin_platform.records.errors import RecordsUnavailable
from twin_platform.records.port import ABSENT, Collection, R, RecordChanged, Stored
from twin_platform.records.validate import validated
from twin_platform.sqlite import compact, connect, transaction, translated

_APPLICATION_ID = 0x74775263  # "twRc"
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (collection, key)
);
CREATE TABLE IF NOT EXISTS revisions (only INTEGER PRIMARY KEY CHECK (only = 1), last INTEGER NOT NULL);
INSERT OR IGNORE INTO revisions VALUES (1, 0)
"""


class SqliteRecordStore:
    """Records as JSON, one row each. Safe to use from many threads, and from many processes on one machine.

    Revisions are counted over the whole file and never used twice, so whoever holds a record's revision cannot
    overwrite another record that was put under its key after it was deleted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with translated(path, RecordsUnavailable):
            self._connection = connect(path, _APPLICATION_ID, _FORMAT, _SCHEMA)

    def get(self, collection: Collection[R], key: str) -> Stored[R] | None:
        """Return the record, or None; raises `RecordUnreadable` where it no longer validates."""
        with self._using() as connection:
            row = _row(connection, collection.name, key)
        return None if row is None else _stored(collection, key, *row)

    def put(self, collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        """Write and return the new revision; see the port."""
        with self._using() as connection, transaction(connection):
            row = _row(connection, collection.name, key)
            if if_revision is not None and if_revision != (row[0] if row else ABSENT):
                raise RecordChanged(collection.name, key, if_revision)
            statement = "UPDATE revisions SET last = last + 1 RETURNING last"
            revision: int = connection.execute(statement).fetchone()[0]
            connection.execute(
                "REPLACE INTO records VALUES (?, ?, ?, ?)",
                (collection.name, key, revision, record.model_dump_json()),
            )
        return revision

    def delete(self, collection: Collection[R], key: str) -> bool:
        """Remove the record; False where there was none."""
        with self._using() as connection, transaction(connection):
            statement = "DELETE FROM records WHERE collection = ? AND key = ?"
            return connection.execute(statement, (collection.name, key)).rowcount > 0

    def find(self, collection: Collection[R], after: str | None = None, limit: int = 1000) -> list[Stored[R]]:
        """Return records in key order after `after`; raises `RecordUnreadable` where one no longer validates."""
        statement = "SELECT key, revision, body FROM records WHERE collection = ? AND key > ? ORDER BY key LIMIT ?"
        with self._using() as connection:
            rows = connection.execute(statement, (collection.name, after or "", limit)).fetchall()
        return [_stored(collection, *row) for row in rows]

    def compact(self) -> bool:
        """Give back a step of disk space that is no longer used; see the port."""
        with self._using() as connection:
            return compact(connection)

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

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path, RecordsUnavailable):
            yield self._connection


def _row(connection: sqlite3.Connection, collection: str, key: str) -> tuple[int, str] | None:
    statement = "SELECT revision, body FROM records WHERE collection = ? AND key = ?"
    row: tuple[int, str] | None = connection.execute(statement, (collection, key)).fetchone()
    return row


def _stored(collection: Collection[R], key: str, revision: int, body: str) -> Stored[R]:
    return Stored(key, validated(collection, key, body), revision)
