"""Event log in one SQLite file: a row per event until it is acknowledged."""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Self

from twin_contracts.queues import DEFAULT_PARTITIONS, Queue, queues_of
from twin_platform.log.codec import encode
from twin_platform.log.errors import LogUnavailable, PartitionsFixed, QueueMissing, RightTaken
from twin_platform.log.port import Confirmation, Event
from twin_platform.log.sqlite_consumer import Cursor, SqliteConsumer
from twin_platform.log.sqlite_writer import GroupCommit
from twin_platform.sqlite import compact, connect, transaction, translated

REFILL_LIMIT_BYTES = 64 * 1024 * 1024

_APPLICATION_ID = 0x74774C67  # "twLg"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS installation (partitions INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_queue ON events (queue, seq)
"""  # without AUTOINCREMENT a number would be used again, and an old position would name a new event


class SqliteEventLog:
    """The event log of one process, whose threads publish and consume.

    A queue's order is that of the `publish` calls. Confirmed means committed and synced to disk.

    Args:
        path: the file, created where there is none.
        partitions: what the file was, or is now, created with.
        refill_limit_bytes: a refill queue that holds as much confirms nothing until some of it was acknowledged.

    Raises:
        ForeignDatabase, OtherFormat: the file is not one of this program's event logs.
        PartitionsFixed: it was created with another number of partitions.
        LogUnavailable: it cannot be opened.
    """

    def __init__(
        self, path: Path, partitions: int = DEFAULT_PARTITIONS, refill_limit_bytes: int = REFILL_LIMIT_BYTES
    ) -> None:
        self.partitions = partitions
        self._path = path
        self._lock = Lock()
        with translated(path, LogUnavailable):
            self._connection = self._connect()
            self._install()
            self._writer = GroupCommit(path, self._connect(), refill_limit_bytes)
        self._generations = count(1)
        self._cursors: dict[Queue, Cursor] = {}

    def missing(self) -> tuple[Queue, ...]:
        """Return queues without a row; of a new file, all."""
        with self._lock, translated(self._path, LogUnavailable):
            declared = {name for (name,) in self._connection.execute("SELECT name FROM queues")}
        return tuple(queue for queue in queues_of(self.partitions) if queue.name not in declared)

    def declare(self) -> None:
        """Create what is missing, durably."""
        names = [(queue.name,) for queue in queues_of(self.partitions)]
        with self._lock, translated(self._path, LogUnavailable), transaction(self._connection):
            self._connection.executemany("INSERT OR IGNORE INTO queues (name) VALUES (?)", names)

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        """Hand the event to the writer, which commits all that waits together."""
        headers, body = encode(event)
        return self._writer.publish(queue, headers.model_dump_json(exclude_none=True), body)

    def consume(self, queues: Sequence[Queue]) -> "SqliteConsumer":
        """Become the reader of `queues`; an earlier reader gets nothing more from them."""
        missing = self.missing()
        for queue in queues:
            if queue in missing:
                raise QueueMissing(queue)
        with translated(self._path, LogUnavailable):
            connection = self._connect()
        cursors = {queue: self._cursors.setdefault(queue, Cursor()) for queue in queues}
        return SqliteConsumer(self._path, connection, self._writer, next(self._generations), cursors)

    def waiting(self) -> int:
        """Count the rows."""
        with self._lock, translated(self._path, LogUnavailable):
            events: int = self._connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return events

    def compact(self) -> bool:
        """Give back a step of disk space that is no longer used; see the port."""
        with self._lock, translated(self._path, LogUnavailable):
            return compact(self._connection)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a lock on a file beside the log's; the operating system frees it with the process."""
        with Path(f"{self._path}.{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RightTaken(name) from error
            yield

    def close(self) -> None:
        """Write what was handed over and acknowledged so far, then release the file."""
        self._writer.close()
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the log; leaving closes it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the log."""
        self.close()

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, application_id=_APPLICATION_ID, format_number=1, schema=_SCHEMA)

    def _install(self) -> None:
        with transaction(self._connection):
            row = self._connection.execute("SELECT partitions FROM installation").fetchone()
            if row is None:
                self._connection.execute("INSERT INTO installation VALUES (?)", (self.partitions,))
        if row is not None and row[0] != self.partitions:
            self._connection.close()
            raise PartitionsFixed(str(self._path), row[0], self.partitions)
