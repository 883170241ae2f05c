"""The change feed of MongoDB: the driver's change stream over the database, which survives a drop of the collection.

A thread of its own reads the stream, since the driver's wait for the next event cannot be chosen call by call. It
stays at most some megabytes ahead of whoever reads the feed.
"""

import threading
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from pymongo.change_stream import DatabaseChangeStream
from pymongo.database import Database
from pymongo.errors import OperationFailure

from twin_contracts.events import Version
from twin_platform.documents.errors import PositionLost, StoreUnavailable
from twin_platform.documents.mongo_bodies import id_of, row_of
from twin_platform.documents.port import Change, DeletedDocument, StoredDocument
from twin_platform.errors import PlatformError
from twin_platform.mongo import Stored, code_of, translated

LOST: Final = frozenset({260, 280, 286, 9, 15, 40649})
"""The token is of another stream, its history is gone from the oplog, or it is damaged (measured)."""
ENDS: Final = frozenset({"drop", "rename", "dropDatabase", "invalidate"})
"""Events after which what the collection held is in doubt."""
AWAIT_MILLISECONDS: Final = 500
"""How long the server holds a request while it has no event; a stop waits for as long."""
LOOK_MILLISECONDS: Final = 5
"""The same for a feed that is opened only to see whether there is anything."""
AHEAD_BYTES: Final = 16 * 1024 * 1024
AHEAD_EVENTS: Final = 2000
OPENINGS: Final = 20
_NAMED: Final = ("operationType", "documentKey", "fullDocument", "clusterTime", "ns", "to", "txnNumber")


def pipeline_of(collection: str) -> list[dict[str, Any]]:
    """Return what the stream lets through: the collection's documents, and everything that ends what it was."""
    operations = ["insert", "update", "replace", "delete", *sorted(ENDS)]
    about_it = [{"ns.coll": collection}, {"to.coll": collection}]
    whole = {"operationType": {"$in": ["dropDatabase", "invalidate"]}}
    return [
        {"$match": {"$or": [*about_it, whole], "operationType": {"$in": operations}}},
        {"$project": dict.fromkeys(_NAMED, 1)},
    ]


class MongoChangeFeed:
    """ChangeFeed over one change stream; the driver resumes it over lost connections and elections."""

    def __init__(
        self, database: Database[Stored], collection: str, position: str | None, hold: int = AWAIT_MILLISECONDS
    ) -> None:
        """Open the stream; the server holds a request for up to `hold` milliseconds.

        Raises:
            PositionLost: it cannot continue at this position.
            StoreUnavailable: transient.
        """
        self._given, self._hold = position, hold
        self._stream, self._position = self._open(database, collection)
        self._ahead: deque[tuple[Change, str]] = deque()
        self._bytes = 0
        self._failure: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep_reading, name="change-stream", daemon=True)
        self._thread.start()

    def read(self, limit: int, wait: float) -> list[Change]:
        """Return up to `limit` changes; see the port."""
        with self._changed:
            self._changed.wait_for(lambda: self._ahead or self._failure, wait)
            taken = [self._ahead.popleft() for _ in range(min(limit, len(self._ahead)))]
            if not taken and self._failure:
                raise self._failure
            if taken:
                self._position = taken[-1][1]
                self._bytes -= sum(_size_of(change) for change, _ in taken)
                self._changed.notify_all()
        return [change for change, _ in taken]

    def position(self) -> str:
        """Return the position after the last change handed out; while the store is quiet, the stream's own."""
        with self._changed:
            return self._position

    def close(self) -> None:
        """Release the stream, once the server has answered its last request. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _open(self, database: Database[Stored], collection: str) -> tuple[DatabaseChangeStream[Stored], str]:
        """Return a stream and its position.

        The driver knows no position of a stream from now on whose first reply has an event already: it is opened again.
        """
        for _ in range(OPENINGS):
            stream = self._watch(database, collection)
            if position := _token_of(stream) or self._given:
                return stream, position
            stream.close()
        raise StoreUnavailable(f"each of {OPENINGS} change streams began within the writes, and has no position yet")

    def _watch(self, database: Database[Stored], collection: str) -> DatabaseChangeStream[Stored]:
        token = {"_data": self._given} if self._given is not None else None
        try:
            with translated("open a change stream", StoreUnavailable):
                return database.watch(
                    pipeline_of(collection),
                    full_document="updateLookup",
                    start_after=token,
                    max_await_time_ms=self._hold,
                )
        except PlatformError as error:
            raise self._lost(error) or error from error.__cause__

    def _keep_reading(self) -> None:
        with closing(self._stream):
            while not self._closed:
                try:
                    self._read_one()
                except PlatformError as error:
                    self._fail(self._lost(error) or error)
                except BaseException as error:  # noqa: BLE001 - raised in the thread that reads the feed
                    self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """End the thread; the error is raised behind the changes that are still to be read."""
        with self._changed:
            self._failure, self._closed = error, True
            self._changed.notify_all()

    def _read_one(self) -> None:
        with translated("go on with a change stream", StoreUnavailable):
            event = self._stream.try_next()
        token = _token_of(self._stream)
        if event is None:
            with self._changed:
                if not self._ahead and token:
                    self._position = token
            return
        if event["operationType"] in ENDS:
            raise PositionLost(event["_id"]["_data"], f"the collection went through {event['operationType']!r}")
        change = change_of(event)
        with self._changed:
            self._changed.wait_for(self._has_room)
            self._ahead.append((change, token or event["_id"]["_data"]))
            self._bytes += _size_of(change)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or (self._bytes < AHEAD_BYTES and len(self._ahead) < AHEAD_EVENTS)

    def _lost(self, error: PlatformError) -> PositionLost | None:
        """Return the loss that an error of the driver means, None where it means something else."""
        cause = error.__cause__
        if isinstance(error, PositionLost):
            return error
        if isinstance(cause, OperationFailure) and code_of(cause) in LOST:
            return PositionLost(self._given or "", str(cause).partition(", full error")[0])
        return None


def change_of(event: Mapping[str, Any]) -> Change:
    """Return what an insert, update, replace or delete tells.

    Without a body where the look-up found nothing, and for every change of a transaction: they share one version, and
    whoever reads the document then has the last one's outcome.
    """
    at, stored_id = version_of(event["clusterTime"]), event["documentKey"]["_id"]
    if event["operationType"] == "delete" and "txnNumber" not in event:
        return DeletedDocument(id_of(stored_id), at, None)
    stored = event.get("fullDocument")
    if stored is None or "txnNumber" in event:
        return StoredDocument(id_of(stored_id), at, None, None, 0, None)
    return row_of(stored, at)


def version_of(timestamp: Any) -> Version:  # noqa: ANN401 - bson.Timestamp has no types of its own
    """Return a cluster time as the version it is."""
    return Version(seconds=timestamp.time, increment=timestamp.inc)


def time_of(token: str) -> Version:
    """Return the cluster time that a resume token begins with: a type byte, then seconds and increment."""
    data = bytes.fromhex(token[:18])
    return Version(seconds=int.from_bytes(data[1:5]), increment=int.from_bytes(data[5:9]))


def _token_of(stream: DatabaseChangeStream[Stored]) -> str | None:
    token = stream.resume_token
    return None if token is None else str(token["_data"])


def _size_of(change: Change) -> int:
    return change.size if isinstance(change, StoredDocument) else 0
