"""How often the SQLite log has taken which event: an acknowledged one leaves no trace in it, so its file counts."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

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


def count_published(log: Path) -> None:
    """Have the log's file count from now on."""
    with closing(_connect(log)) as connection:
        connection.executescript(_TAP)


def duplicates(log: Path) -> int:
    """Return how many events were published again that the log had already taken: redeliveries."""
    with closing(_connect(log)) as connection:
        return int(connection.execute(_DUPLICATES).fetchone()[0])


def published(log: Path, lane: Lane) -> Counter[DocumentId]:
    """Return how often the log has taken an event of each document on this lane."""
    with closing(_connect(log)) as connection:
        return Counter(dict(connection.execute(_PUBLISHED, (f"%.{lane}.%",)).fetchall()))


def _connect(log: Path) -> sqlite3.Connection:
    return sqlite3.connect(log, timeout=30.0)
