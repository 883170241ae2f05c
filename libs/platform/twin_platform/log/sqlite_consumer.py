"""The SQLite event log's reader."""

import sqlite3
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from twin_contracts.queues import Lane, Queue
from twin_platform.log.codec import headers_from
from twin_platform.log.errors import LogUnavailable
from twin_platform.log.port import Delivery, Position
from twin_platform.log.read_ahead import next_of
from twin_platform.log.sqlite_writer import GroupCommit
from twin_platform.sqlite import translated

_AHEAD_EVENTS = {Lane.LIVE: 256, Lane.REFILL: 64}
_AHEAD_BYTES = 2 * 1024 * 1024
_NEXT = """
SELECT seq, CAST(headers AS BLOB), CAST(body AS BLOB) FROM events WHERE queue = ? AND seq > ? ORDER BY seq LIMIT ?
"""
"""The casts also read what some other program put there."""


@dataclass(slots=True)
class Cursor:
    """What the consumers of one queue have in common, one after another."""

    generation: int = 0
    """Of the consumer that reads the queue now; 0 where none does."""
    acknowledged: int = 0
    """Events up to this one are never handed out again, even before the writer has removed them."""


class SqliteConsumer:
    """Reads a little ahead of the flow: one indexed query where less is ready than is asked for.

    A queue that was read to its end is not queried again before SQLite's own counter tells of a commit; asking for that
    takes a microsecond, so polling needs no signal from the writer and sees an event at once when it is confirmed. For
    one thread.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        writer: GroupCommit,
        generation: int,
        cursors: Mapping[Queue, Cursor],
    ) -> None:
        self._path = path
        self._connection = connection
        self._writer = writer
        self._generation = generation
        self._cursors = cursors
        for cursor in cursors.values():
            cursor.generation = generation
        self._ahead = {queue: deque[Delivery]() for queue in cursors}
        self._last = {queue: cursor.acknowledged for queue, cursor in cursors.items()}
        self._dry: dict[Queue, int] = {}
        """Queues that were read to their end, and the counter's state before that."""

    def peek_cost(self, queue: Queue) -> int | None:
        """Return the next event's cost; None also where another consumer has taken the queue over."""
        ahead = self._ready(queue, 1)
        return ahead[0].cost if ahead else None

    def take(self, queue: Queue, limit: int, budget: int) -> list[Delivery]:
        """Return the next events within `limit` and `budget`, at most as many as are read ahead."""
        return next_of(self._ready(queue, limit), limit, budget)

    def prefetched(self) -> int:
        """Return how many events are read ahead."""
        return sum(map(len, self._ahead.values()))

    def acknowledge(self, queue: Queue, position: Position) -> None:
        """Have the writer remove the events with its next commit; lost in a crash, they are handed out again."""
        cursor = self._cursors[queue]
        if position.generation == cursor.generation and position.tag > cursor.acknowledged:
            cursor.acknowledged = position.tag
            self._writer.acknowledge(queue, position.tag)

    def close(self) -> None:
        """Forget what was handed out and not acknowledged."""
        for cursor in self._cursors.values():
            if cursor.generation == self._generation:
                cursor.generation = 0
        self._connection.close()

    def _ready(self, queue: Queue, wanted: int) -> deque[Delivery]:
        """Return what is read ahead, after reading on where that is less than `wanted`."""
        ahead = self._ahead[queue]
        if self._cursors[queue].generation != self._generation:
            ahead.clear()
        elif len(ahead) < min(wanted, _AHEAD_EVENTS[queue.lane]):
            with translated(self._path, LogUnavailable):
                self._read_on(queue, ahead)
        return ahead

    def _read_on(self, queue: Queue, ahead: deque[Delivery]) -> None:
        commits = self._commits()
        if self._dry.get(queue) == commits:
            return
        room = _AHEAD_BYTES - sum(len(delivery.body) for delivery in ahead)
        wanted = _AHEAD_EVENTS[queue.lane] - len(ahead)
        with closing(self._connection.execute(_NEXT, (queue.name, self._last[queue], wanted))) as rows:
            while room > 0 and (row := rows.fetchone()) is not None:
                seq, headers, body = row
                position = Position(self._generation, seq)
                ahead.append(Delivery(queue, position, headers_from(headers), body))
                self._last[queue] = seq
                room -= len(body)
        if room > 0 and len(ahead) < _AHEAD_EVENTS[queue.lane]:
            self._dry[queue] = commits

    def _commits(self) -> int:
        """Return a number that changes with every commit of another connection."""
        counter: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return counter
