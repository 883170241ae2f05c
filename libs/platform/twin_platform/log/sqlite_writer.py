"""The SQLite event log's one writer: whatever waits becomes durable together, with one fsync."""

import sqlite3
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread

from twin_contracts.queues import Lane, Queue
from twin_platform.log.errors import LogUnavailable, QueueMissing
from twin_platform.log.port import Confirmation
from twin_platform.sqlite import told, transaction

_RETRY_SECONDS = 1.0
"""How long what was left behind waits when nothing new arrives."""
_CLOSED = "the event log was closed before it confirmed this event"


@dataclass(frozen=True, slots=True)
class _Unconfirmed:
    queue: Queue
    headers: str
    body: bytes
    confirmation: Confirmation


@dataclass(slots=True)
class _Work:
    events: list[_Unconfirmed] = field(default_factory=list)
    acknowledged: dict[Queue, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.events or self.acknowledged)


class GroupCommit:
    """Writes events and removes acknowledged ones in a thread of its own; `publish` and `acknowledge` never block.

    One transaction takes all that has arrived, which the publishers' windows bound. Where it fails, its confirmations
    fail with `LogUnavailable` and publishers read again from their position; acknowledgements are tried again. An
    event for a full refill queue is left behind, in its order, until acknowledgements have made room.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, refill_limit_bytes: int) -> None:
        self._path = path
        self._connection = connection
        self._refill_limit_bytes = refill_limit_bytes
        self._arrival = Condition()
        self._arrived = _Work()
        self._closed = False
        self._thread = Thread(target=self._run, name="event-log-writer", daemon=True)
        self._thread.start()

    def publish(self, queue: Queue, headers: str, body: bytes) -> Confirmation:
        """Hand over one event."""
        confirmation: Confirmation = Future()
        confirmation.set_running_or_notify_cancel()  # nobody can cancel what may already be written
        event = _Unconfirmed(queue, headers, body, confirmation)
        with self._arrival:
            if not self._closed:
                self._arrived.events.append(event)
                self._arrival.notify()
                return confirmation
        _fail([event], _CLOSED)
        return confirmation

    def acknowledge(self, queue: Queue, seq: int) -> None:
        """Remove this queue's events up to and including `seq`, which never falls."""
        with self._arrival:
            self._arrived.acknowledged[queue] = seq
            self._arrival.notify()

    def close(self) -> None:
        """Write what has arrived, fail what is unconfirmed after that, and end the thread. Idempotent."""
        with self._arrival:
            self._closed = True
            self._arrival.notify()
        self._thread.join()

    def _run(self) -> None:
        behind, closed = _Work(), False
        try:
            while not closed:
                behind, closed = self._next(behind)
                behind = self._commit(behind)
        finally:
            with self._arrival:
                self._closed = True
            _fail(behind.events + self._arrived.events, _CLOSED)
            self._connection.close()

    def _next(self, behind: _Work) -> tuple[_Work, bool]:
        with self._arrival:
            timeout = _RETRY_SECONDS if behind else None
            self._arrival.wait_for(lambda: self._arrived or self._closed, timeout)
            arrived, self._arrived = self._arrived, _Work()
            work = _Work(behind.events + arrived.events, behind.acknowledged | arrived.acknowledged)
            return work, self._closed

    def _commit(self, work: _Work) -> _Work:
        """Write what can be written and settle its confirmations; return what is left behind."""
        try:
            with transaction(self._connection):
                self._remove(work.acknowledged)
                admitted, refused, behind = self._admit(work.events)
        except sqlite3.Error as error:
            _fail(work.events, told(self._path, error))
            return _Work(acknowledged=work.acknowledged)
        for event in admitted:
            event.confirmation.set_result(None)
        for event in refused:
            event.confirmation.set_exception(QueueMissing(event.queue))
        return _Work(behind)

    def _remove(self, acknowledged: Mapping[Queue, int]) -> None:
        for queue, seq in acknowledged.items():
            self._connection.execute(
                "UPDATE queues SET bytes = bytes - "
                "(SELECT coalesce(sum(length(body)), 0) FROM events WHERE queue = name AND seq <= ?) WHERE name = ?",
                (seq, queue.name),
            )
            self._connection.execute("DELETE FROM events WHERE queue = ? AND seq <= ?", (queue.name, seq))

    def _admit(
        self, events: Iterable[_Unconfirmed]
    ) -> tuple[list[_Unconfirmed], list[_Unconfirmed], list[_Unconfirmed]]:
        """Insert what has room; return that, what has no queue, and what has to wait."""
        held: dict[str, int] = dict(self._connection.execute("SELECT name, bytes FROM queues"))
        admitted, refused, behind = list[_Unconfirmed](), list[_Unconfirmed](), list[_Unconfirmed]()
        for event in events:
            name = event.queue.name
            if name not in held:
                refused.append(event)
            elif event.queue.lane is Lane.REFILL and held[name] >= self._refill_limit_bytes:
                behind.append(event)
            else:
                admitted.append(event)
                held[name] += len(event.body)
        self._connection.executemany(
            "INSERT INTO events (queue, headers, body) VALUES (?, ?, ?)",
            [(event.queue.name, event.headers, event.body) for event in admitted],
        )
        names = {event.queue.name for event in admitted}
        self._connection.executemany("UPDATE queues SET bytes = ? WHERE name = ?", [(held[n], n) for n in names])
        return admitted, refused, behind


def _fail(events: Iterable[_Unconfirmed], why: str) -> None:
    for event in events:
        event.confirmation.set_exception(LogUnavailable(why))
