"""The SQLite file of documents: its tables, and the one row that says how far its versions have come."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import ZERO, Version
from twin_platform.documents.errors import PositionLost
from twin_platform.sqlite import connect

_APPLICATION_ID = 0x74774463  # "twDc"
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY,
    seconds INTEGER NOT NULL,
    increment INTEGER NOT NULL,
    committed_at TEXT NOT NULL,
    content_hash TEXT,
    author TEXT,
    author_name TEXT,
    type TEXT,
    body BLOB,  -- NULL: deleted, and kept as (id, version) so that the feed can tell
    CHECK ((body IS NULL) = (author IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS documents_by_version ON documents (seconds, increment);
CREATE INDEX IF NOT EXISTS documents_by_author ON documents (author, id, author_name, seconds, increment);
CREATE INDEX IF NOT EXISTS deletions_by_moment ON documents (committed_at) WHERE body IS NULL;
CREATE TABLE IF NOT EXISTS versions (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    store TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    increment INTEGER NOT NULL,
    forgotten_seconds INTEGER NOT NULL,
    forgotten_increment INTEGER NOT NULL
);
INSERT OR IGNORE INTO versions VALUES (1, lower(hex(randomblob(16))), 0, 0, 0, 0)
"""

_COLUMNS = (
    "id, seconds, increment, committed_at, coalesce(content_hash, ''), body IS NULL, coalesce(CAST(body AS BLOB), x'')"
)
"""What `StoredRow` takes. The cast also reads text that some other program wrote there."""

_PUT = """
INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    seconds = excluded.seconds, increment = excluded.increment, committed_at = excluded.committed_at,
    content_hash = excluded.content_hash, author = excluded.author, author_name = excluded.author_name,
    type = excluded.type, body = excluded.body
"""

STEP_BYTES = 4 * 1024 * 1024
"""Bodies that one step of a scan or one read of the feed fetches at most, unless the first alone is larger."""

_TOKEN = re.compile(r"([0-9a-f]{32}):([0-9]{1,15})\.([0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of the file, its body not yet parsed."""

    id: DocumentId
    seconds: int
    increment: int
    committed_at: str
    content_hash: Digest
    deleted: int
    body: bytes

    @property
    def version(self) -> Version:
        """The version of the row's last change."""
        return Version(seconds=self.seconds, increment=self.increment)


@dataclass(frozen=True, slots=True)
class Versions:
    """How far the file's versions have come; read inside the transaction that relies on it."""

    store: str
    """Made when the file was created, so that positions of an earlier file are told from this one's."""
    last: Version
    forgotten: Version
    """Of the newest deletion that is no longer known."""

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Self:
        """Return them as of this transaction."""
        store, *numbers = connection.execute(
            "SELECT store, seconds, increment, forgotten_seconds, forgotten_increment FROM versions"
        ).fetchone()
        last, forgotten = numbers[:2], numbers[2:]
        return cls(
            store,
            Version(seconds=last[0], increment=last[1]),
            Version(seconds=forgotten[0], increment=forgotten[1]),
        )

    def token(self, version: Version) -> str:
        """Return the feed position after `version`."""
        return f"{self.store}:{version}"

    def parse(self, token: str) -> Version:
        """Return the version that a position stands for.

        Raises:
            PositionLost: changes since then are no longer known.
        """
        version = version_in(token)
        if version is None:
            raise PositionLost(token, "it is not a position of an SQLite document store")
        if not token.startswith(f"{self.store}:"):
            raise PositionLost(token, "the store has been created anew since")
        if version > self.last:
            raise PositionLost(token, f"the store's newest version is {self.last}: an older backup was restored")
        if version < self.forgotten:
            raise PositionLost(token, f"deletions up to {self.forgotten} are forgotten")
        return version


def version_in(token: str) -> Version | None:
    """Return the version that a position names, of whichever file; None where it is no position."""
    match = _TOKEN.fullmatch(token)
    return Version(seconds=int(match[2]), increment=int(match[3])) if match else None


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, creating it where there is none; see `connect` for what is promised and raised."""
    return connect(path, _APPLICATION_ID, _FORMAT, _SCHEMA)


def allocate(connection: sqlite3.Connection, now: datetime, at_least: Version = ZERO) -> Version:
    """Take the next version, inside the write transaction that uses it: no two share one, whatever the clock does."""
    version = Version.after(max(Versions.read(connection).last, at_least), now)
    connection.execute("UPDATE versions SET seconds = ?, increment = ?", (version.seconds, version.increment))
    return version


def forget_before(connection: sqlite3.Connection, version: Version) -> None:
    """Note that what was deleted before this version is no longer known: positions before it are lost."""
    forgotten = max(Versions.read(connection).forgotten, version)
    connection.execute(
        "UPDATE versions SET forgotten_seconds = ?, forgotten_increment = ?", (forgotten.seconds, forgotten.increment)
    )


def go_past(connection: sqlite3.Connection, lost: Version, now: datetime) -> None:
    """Where the newest version is before `lost`, as after a backup was restored, go on after it.

    What others made of the lost versions is then older than whatever comes, and gives way. What happened before is not
    known, so every position before is lost, as often as it is asked for.
    """
    if Versions.read(connection).last < lost:
        forget_before(connection, allocate(connection, now, lost))


def put(connection: sqlite3.Connection, document: Raw, version: Version, now: datetime, body: bytes) -> None:
    """Write the document's row, whether there was one or not."""
    author = document.author
    columns = (content_hash(document), author.id, author.name, document.type.value, body)
    connection.execute(_PUT, (document.id, version.seconds, version.increment, moment_text(now), *columns))


def put_deletion(connection: sqlite3.Connection, document_id: DocumentId, version: Version, now: datetime) -> None:
    """Write the row of a document that is gone: nothing of it is kept but its id, version and moment."""
    columns = (None,) * 5
    connection.execute(_PUT, (document_id, version.seconds, version.increment, moment_text(now), *columns))


def moment_text(moment: datetime) -> str:
    """Return the moment as the file holds it: in one width, so that order of text is order of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def fetch(
    connection: sqlite3.Connection, condition: str, parameters: Sequence[str | int], step_bytes: int = STEP_BYTES
) -> list[StoredRow]:
    """Return the rows that meet `condition`, cut short before their bodies exceed `step_bytes`; never to nothing."""
    rows: list[StoredRow] = []
    size = 0
    statement = f"SELECT {_COLUMNS} FROM documents WHERE {condition}"  # noqa: S608 - the conditions are our own
    for values in connection.execute(statement, parameters):
        row = StoredRow(*values)
        size += len(row.body)
        if rows and size > step_bytes:
            break
        rows.append(row)
    return rows
