"""A MongoDB in memory, as far as the adapters use one: collections, snapshots and a change stream over an oplog.

What it answers has the shapes that tests/data/mongodb recorded, and a test holds it to them. It has no elections and no
network: what belongs to the driver is shown on real servers only.
"""

import copy
import operator
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn, Self, cast

from bson.codec_options import CodecOptions
from bson.timestamp import Timestamp
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from twin_contracts.documents import Raw
from twin_platform.documents.mongo_bodies import stored_of

Document = dict[str, Any]
HISTORY_LOST = {"ok": 0.0, "code": 286, "errmsg": "the resume point may no longer be in the oplog"}
DAMAGED = {"ok": 0.0, "code": 9, "errmsg": "resume token string was not a valid hex string"}
FIRST = Timestamp(1_700_000_000, 1)
IDLE = b"\x2b\x02\x29"
"""How a token goes on that is no event's."""
AWAIT_SECONDS = 0.02
"""How long a stream waits for the next event."""


@dataclass
class Server:
    """What every client of it sees. Each write has a cluster time of its own."""

    now: Timestamp = FIRST
    reply_documents: int = 10**9
    """Documents that one reply of `find` holds, as 16 MB do."""
    behind: int = 0
    """So many of the next snapshots are as old as the server's beginning: a new primary."""
    oplog: list[Document] = field(default_factory=list)
    forgotten: Timestamp = FIRST
    """The oplog begins after this time."""
    may_read_oplog: bool = True
    changed: threading.Condition = field(default_factory=threading.Condition)

    def database(self, name: str = "twin") -> "MemoryDatabase":
        """Return a new handle."""
        return MemoryDatabase(self, name)

    def handle(self, name: str = "twin") -> Database[Document]:
        """Return a new handle as the driver's, which the adapters take."""
        return cast("Database[Document]", self.database(name))

    def write(self, database: str, collection: str, kind: str, stored_id: object, document: Document | None) -> None:
        """Enter a change into the oplog. Under `changed`."""
        self.now = Timestamp(self.now.time, self.now.inc + 1)
        key = {} if stored_id is None else {"documentKey": {"_id": stored_id}}
        entry = {"operationType": kind, "clusterTime": self.now, "ns": {"db": database, "coll": collection}, **key}
        self.oplog.append({"_id": token_of(self.now, b"\x2b\x02"), **entry, "after": document})
        self.changed.notify_all()

    def write_transaction(self, collection: str, *documents: Raw) -> None:
        """Replace documents in one transaction of the database `twin`: its changes share their cluster time."""
        with self.changed:
            first = len(self.oplog)
            for document in documents:
                stored = stored_of(document, datetime.now(UTC))
                self.write("twin", collection, "replace", document.id, stored)
            for index, entry in enumerate(self.oplog[first:]):
                entry |= {"txnNumber": 1, "clusterTime": self.now, "_id": token_of(self.now, bytes([0x2B, 2 * index]))}

    def tick(self) -> None:
        """Let time pass as a write elsewhere does."""
        with self.changed:
            self.write("elsewhere", "noise", "insert", 0, {"_id": 0})

    def forget_oplog(self) -> None:
        """Roll the oplog over: no stream can continue before now."""
        with self.changed:
            self.forgotten = self.now

    def contents(self, database: str, collection: str, at: Timestamp | None = None) -> dict[object, Document]:
        """Return a collection's documents as of a cluster time. Under `changed`."""
        held: dict[object, Document] = {}
        times = [entry["clusterTime"] for entry in self.oplog]
        for entry in self.oplog[: bisect_right(times, at or self.now)]:
            if entry["ns"] != {"db": database, "coll": collection}:
                continue
            if entry["operationType"] in {"drop", "rename"}:
                held.clear()
            elif entry["operationType"] == "delete":
                held.pop(entry["documentKey"]["_id"], None)
            else:
                held[entry["documentKey"]["_id"]] = entry["after"]
        return dict(sorted(held.items(), key=lambda item: str(item[0])))


class MemoryDatabase:
    """A handle, its own client."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.codec_options: CodecOptions[Document] = CodecOptions(tz_aware=True)
        self.client = self

    def get_database(self, name: str, **_: object) -> "MemoryDatabase":
        return MemoryDatabase(self.server, name)

    def get_collection(self, name: str) -> "MemoryCollection":
        return MemoryCollection(self.server, self.name, name)

    def create_collection(self, name: str, **_: object) -> None:
        with self.server.changed:
            if any(entry["ns"] == {"db": self.name, "coll": name} for entry in self.server.oplog):
                message = f"collection {name} already exists"
                raise CollectionInvalid(message)

    def close(self) -> None:
        """Close the client; there is nothing to release."""

    def drop_collection(self, name: str) -> None:
        self._end(name, "drop")

    def rename_away(self, name: str) -> None:
        self._end(name, "rename")

    def _end(self, name: str, kind: str) -> None:
        with self.server.changed:
            self.server.write(self.name, name, kind, None, None)

    def command(self, command: str, value: object = 1, **options: Any) -> Document:  # noqa: ANN401 - as the driver's
        if command == "buildInfo":
            return {"versionArray": [5, 0, 7, 0]}
        if command == "hello":
            return {"setName": "rs0", "lastWrite": {"majorityOpTime": {"ts": self.server.now}}}
        if command == "collMod":
            return {"ok": 1.0}
        assert command == "find", command
        assert options["readConcern"]["level"] == "snapshot"
        return self._snapshot(str(value), options)

    def _snapshot(self, collection: str, options: Mapping[str, Any]) -> Document:
        server = self.server
        with server.changed:
            at = options["readConcern"].get("atClusterTime", server.now)
            if server.behind:
                server.behind -= 1
                at = FIRST
            held = server.contents(self.name, collection, at)
        found = [document for document in held.values() if matches(document, options["filter"])]
        reply = copy.deepcopy(found[: min(options["limit"], server.reply_documents)])
        return {"cursor": {"firstBatch": reply, "id": 0, "atClusterTime": at}, "ok": 1.0}

    def watch(self, pipeline: Sequence[Document], *, start_after: Document | None = None, **_: object) -> "Stream":
        return Stream(self.server, self.name, pipeline[0]["$match"], start_after)


class Stream:
    """A change stream of one database, with the look-up of updates."""

    def __init__(self, server: Server, database: str, match: Document, start_after: Document | None) -> None:
        self._server, self._database, self._match = server, database, match
        self.alive = True
        with server.changed:
            self._index = len(server.oplog) if start_after is None else self._place_of(start_after)
            self.resume_token = start_after or token_of(server.now, IDLE)

    def try_next(self) -> Document | None:
        with self._server.changed:
            self._server.changed.wait_for(self._find_next, AWAIT_SECONDS)
            if self._server.forgotten > time_of_token(self.resume_token):
                fail(HISTORY_LOST)
            if not self._find_next():
                self.resume_token = token_of(self._server.now, IDLE)
                return None
            entry = self._server.oplog[self._index]
            self._index += 1
            self.resume_token = entry["_id"]
            return self._event(entry)

    def close(self) -> None:
        self.alive = False

    def _place_of(self, token: Document) -> int:
        """Return where the oplog goes on after a token."""
        time = time_of_token(token)
        if time < self._server.forgotten:
            fail(HISTORY_LOST)
        known = [index for index, entry in enumerate(self._server.oplog) if entry["_id"] == token]
        return known[0] + 1 if known else bisect_right([entry["clusterTime"] for entry in self._server.oplog], time)

    def _find_next(self) -> bool:
        """Pass over what the pipeline does not let through."""
        oplog = self._server.oplog
        while self._index < len(oplog) and not self._lets_through(oplog[self._index]):
            self._index += 1
        return self._index < len(oplog)

    def _lets_through(self, entry: Document) -> bool:
        return bool(entry["ns"]["db"] == self._database) and matches(entry, self._match)

    def _event(self, entry: Document) -> Document:
        event = {name: value for name, value in entry.items() if name != "after"}
        if entry["operationType"] in {"insert", "replace"}:
            event["fullDocument"] = copy.deepcopy(entry["after"])
        if entry["operationType"] == "update":
            present = self._server.contents(self._database, entry["ns"]["coll"])
            event["fullDocument"] = copy.deepcopy(present.get(entry["documentKey"]["_id"]))
        return event


@dataclass(frozen=True)
class Result:
    """What a write did."""

    matched_count: int = 0
    deleted_count: int = 0


@dataclass
class Cursor:
    """What a query found, in id order."""

    found: list[Document]

    def sort(self, _key: str, _direction: int) -> Self:
        return self

    def batch_size(self, _size: int) -> Self:
        return self

    def limit(self, count: int) -> Self:
        self.found = self.found[:count]
        return self

    def __iter__(self) -> Iterator[Document]:
        return iter(copy.deepcopy(self.found))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class MemoryCollection:
    """One collection of one database."""

    def __init__(self, server: Server, database: str, name: str) -> None:
        self._server, self._database, self._name = server, database, name

    def create_index(self, _keys: object) -> None:
        """Take note of nothing: there is no order but the ids'."""

    def find_one(self, where: Document, projection: object = None, **options: object) -> Document | None:
        if (self._database, self._name) == ("local", "oplog.rs"):
            assert options == {"sort": [("$natural", 1)]}, "the oldest entry is the first as they lie"
            if not self._server.may_read_oplog:
                fail({"ok": 0.0, "code": 13, "errmsg": "not authorized on local to execute command"})
            return {"ts": self._server.forgotten}
        return next(iter(self.find(where)), None)

    def find(self, where: Document) -> Cursor:
        with self._server.changed:
            return Cursor([document for document in self._held().values() if matches(document, where)])

    def count_documents(self, where: Document) -> int:
        return len(self.find(where).found)

    def insert_one(self, document: Document) -> None:
        with self._server.changed:
            if document["_id"] in self._held():
                message = "E11000 duplicate key error"
                raise DuplicateKeyError(message, 11000)
            self._write("insert", document["_id"], document)

    def replace_one(self, where: Document, document: Document, *, upsert: bool = False) -> Result:
        with self._server.changed:
            held = next((one for one in self._held().values() if matches(one, where)), None)
            if held is None and not upsert:
                return Result()
            self._write("insert" if held is None else "replace", document["_id"], document)
            return Result(matched_count=int(held is not None))

    def update_one(self, where: Document, changes: Document) -> None:
        """Set fields, as other programs do: the event of an update looks its document up."""
        with self._server.changed:
            held = next(one for one in self._held().values() if matches(one, where))
            self._write("update", held["_id"], held | changes["$set"])

    def delete_one(self, where: Document) -> Result:
        with self._server.changed:
            held = next((one for one in self._held().values() if matches(one, where)), None)
            if held is None:
                return Result()
            self._write("delete", held["_id"], None)
            return Result(deleted_count=1)

    def aggregate(self, pipeline: Sequence[Document], **_: object) -> list[Document]:
        """Group by author, the one thing that is asked for."""
        group = next(stage["$group"] for stage in pipeline if "$group" in stage)
        assert group["_id"] == "$author.id"
        documents = sorted(self.find(pipeline[0]["$match"]).found, key=lambda one: str(one.get("committed_at")))
        authors: dict[str, Document] = {}
        for document in documents:
            author = document["author"]
            count = authors.get(author["id"], {"documents": 0})["documents"]
            authors[author["id"]] = {"_id": author["id"], "name": author["name"], "documents": count + 1}
        return [authors[key] for key in sorted(authors)]

    def _held(self) -> dict[object, Document]:
        return self._server.contents(self._database, self._name)

    def _write(self, kind: str, stored_id: object, document: Document | None) -> None:
        self._server.write(self._database, self._name, kind, stored_id, copy.deepcopy(document))


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$in": lambda value, wanted: value in wanted,
    "$type": lambda value, wanted: wanted == "string" and isinstance(value, str),
}


def matches(document: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Return whether a filter of the adapters' kind holds."""
    return all(_holds(document, name, wanted) for name, wanted in where.items())


def _holds(document: Mapping[str, Any], name: str, wanted: object) -> bool:
    if name == "$or":
        assert isinstance(wanted, list)
        return any(matches(document, branch) for branch in wanted)
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(wanted, dict):
        return all(_TESTS[test](value, against) for test, against in wanted.items())
    return bool(value == wanted)


def token_of(time: Timestamp, rest: bytes) -> Document:
    """Return a resume token as the server makes it: a type byte, the time, and what is nobody's business."""
    return {"_data": (b"\x82" + time.time.to_bytes(4) + time.inc.to_bytes(4) + rest).hex().upper()}


def time_of_token(token: Document) -> Timestamp:
    """Return the time that a token begins with."""
    try:
        data = bytes.fromhex(token["_data"])
    except ValueError:
        fail(DAMAGED)
    if len(data) < 9:
        fail({"ok": 0.0, "code": 15, "errmsg": "Invalid advance past end of buffer"} if data else EMPTY)
    return Timestamp(int.from_bytes(data[1:5]), int.from_bytes(data[5:9]))


EMPTY = {"ok": 0.0, "code": 40649, "errmsg": "invalid empty resume token"}


def fail(details: Document) -> NoReturn:
    """Raise what the driver makes of the server's error."""
    raise OperationFailure(details["errmsg"], details["code"], details)
