"""The change feed of the SQLite document store: rows by version, no log beside them."""

import time
from datetime import datetime
from pathlib import Path

from twin_platform.documents.bodies import row_of
from twin_platform.documents.errors import StoreUnavailable
from twin_platform.documents.port import Change, DeletedDocument
from twin_platform.documents.sqlite_file import StoredRow, Versions, fetch, open_file
from twin_platform.sqlite import moment, translated

_POLL_SECONDS = 0.02
"""Between two looks at SQLite's own change counter; a look takes microseconds, waking up for it takes longer."""


class SqliteChangeFeed:
    """Committed changes after a position, oldest first. One thread reads it; it holds no transaction while it waits.

    It has a connection of its own, so that the counter it watches tells of every other one's commits, this process's
    included.
    """

    def __init__(self, path: Path, position: str | None) -> None:
        self._path = path
        with translated(path, StoreUnavailable):
            self._connection = open_file(path)
        try:
            with translated(path, StoreUnavailable), moment(self._connection):
                self._versions = Versions.read(self._connection)
            self._after = self._versions.last if position is None else self._versions.parse(position)
        except BaseException:
            self._connection.close()
            raise

    def read(self, limit: int, wait: float) -> list[Change]:
        """Return up to `limit` changes, the newest state of each document; see the port."""
        deadline = time.monotonic() + wait
        with translated(self._path, StoreUnavailable):
            while True:
                commits = self._commits()
                rows = self._next(limit)
                if rows or not self._waits_for_commit(commits, deadline):
                    return [_change_of(row) for row in rows]

    def position(self) -> str:
        """Return the position after the last change handed out, or, while quiet, after the newest version."""
        return self._versions.token(self._after)

    def close(self) -> None:
        """Release the feed's connection. Idempotent."""
        self._connection.close()

    def _next(self, limit: int) -> list[StoredRow]:
        with moment(self._connection):  # the newest version is only passed if the same moment shows no rows before it
            versions = Versions.read(self._connection)
            after = versions.parse(self.position())
            condition = "(seconds, increment) > (?, ?) ORDER BY seconds, increment LIMIT ?"
            rows = fetch(self._connection, condition, (after.seconds, after.increment, limit))
        self._after = rows[-1].version if rows else versions.last
        return rows

    def _waits_for_commit(self, commits: int, deadline: float) -> bool:
        while time.monotonic() < deadline:
            if self._commits() != commits:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _commits(self) -> int:
        counter: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return counter


def _change_of(row: StoredRow) -> Change:
    if row.deleted:
        return DeletedDocument(row.id, row.version, datetime.fromisoformat(row.committed_at))
    return row_of(row.id, row.version, row.content_hash, row.body)
