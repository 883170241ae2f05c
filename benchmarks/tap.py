"""What a log's own side knows and its port does not tell: how often it took which event, and what is unacknowledged."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Protocol

from twin_contracts.base import DocumentId
from twin_contracts.queues import Lane

_TAP = """
CREATE TABLE IF NOT EXISTS published (queue TEXT NOT NULL, document_id TEXT, version TEXT);
CREATE TRIGGER IF NOT EXISTS tap AFTER INSERT ON events WHEN json_valid(new.headers) BEGIN
    INSERT INTO published VALUES (
        new.queue, json_extract(new.headers, '$.document_id'), json_extract(new.headers, '$.version')
    );
END
"""
_DUPLICATES = """
SELECT coalesce(sum(times - 1), 0) FROM (
    SELECT count(*) AS times FROM published WHERE document_id IS NOT NULL GROUP BY queue, document_id, version
)
"""
_PUBLISHED = """
SELECT document_id, count(*) FROM published WHERE document_id IS NOT NULL AND queue LIKE ? GROUP BY document_id
"""


class Tap(Protocol):
    """Watches one log from beside."""

    def waiting(self) -> int:
        """Return how many events are not acknowledged, whether handed out or not."""

    def duplicates(self) -> int:
        """Return how many events were published again that the log had already taken: redeliveries."""

    def published(self, lane: Lane) -> Counter[DocumentId]:
        """Return how often the log has taken an event of each document on this lane."""

    def close(self) -> None:
        """Watch no longer. Idempotent."""


class SqliteTap:
    """Has the file of a SQLite log count: an event that was acknowledged leaves no other trace in it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with closing(self._connect()) as connection:
            connection.executescript(_TAP)

    def waiting(self) -> int:
        """Count the rows."""
        return self._number("SELECT count(*) FROM events")

    def duplicates(self) -> int:
        """Return how many events were published again; see the protocol."""
        return self._number(_DUPLICATES)

    def published(self, lane: Lane) -> Counter[DocumentId]:
        """Return how often an event of each document was published; see the protocol."""
        with closing(self._connect()) as connection:
            return Counter(dict(connection.execute(_PUBLISHED, (f"%.{lane}.%",)).fetchall()))

    def close(self) -> None:
        """Nothing is held open."""

    def _number(self, query: str) -> int:
        with closing(self._connect()) as connection:
            return int(connection.execute(query).fetchone()[0])

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._log, timeout=30.0)
