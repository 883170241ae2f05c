"""Document store in MongoDB: a replica set, of one member or more, of version 5.0 or newer."""

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Final, Self

import pymongo
from bson.timestamp import Timestamp
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from twin_contracts.base import AuthorId, Digest, DocumentId
from twin_contracts.documents import AuthorRef, DocumentType, Raw, content_hash
from twin_contracts.events import ZERO, Version
from twin_platform.documents.errors import PositionLost, StoreUnavailable
from twin_platform.documents.mongo_bodies import document_of, row_of, stored_of
from twin_platform.documents.mongo_feed import LOOK_MILLISECONDS, MongoChangeFeed, time_of, version_of
from twin_platform.documents.port import AuthorCount, Snapshot, Upserted
from twin_platform.mongo import Stored, durable, put, translated
from twin_platform.telemetry.clock import Clock

COLLECTION: Final = "documents"
TEXT_IDS: Final = {"_id": {"$type": "string"}}
"""Ids of another type are no document ids: the validator refuses them, and no page begins at one."""
HEADROOM_SECONDS: Final = 1.0
"""How long a figure may keep the relay waiting."""
WAIT_SECONDS: Final = 10.0
"""How long a read waits for the time it is to have reached; a new primary can be behind for a moment."""
_POLL_SECONDS: Final = 0.05
_PAGE: Final = 100
"""Documents asked for at once where a listing may want thousands."""


class MongoDocumentStore:
    """Raw documents, one each, their fields open to any client. Thread-safe; any number of processes.

    Versions are cluster times: of a change its own, of a read the moment of its snapshot.
    """

    def __init__(self, database: Database[Stored], clock: Clock) -> None:
        """Take the database's handle; `prepare` has made the collection."""
        self._database = durable(database)
        self._documents = self._database.get_collection(COLLECTION)
        self._clock = clock
        self._floor = ZERO
        """The latest position that a feed was opened at; a scan from before it would miss what lies between."""

    def upsert(self, document: Raw) -> Upserted:
        """Write unless the content is what the store holds; see the port."""
        digest = content_hash(document)
        stored = stored_of(document, self._clock.now())
        with translated("write a document", StoreUnavailable):
            if self._holds(document.id, digest):
                return Upserted(digest, changed=False)
            put(self._documents, stored)
        return Upserted(digest, changed=True)

    def replace(self, document: Raw, held: Digest) -> bool:
        """Write only while the store holds the content with this hash; see the port."""
        stored = stored_of(document, self._clock.now())
        with translated("write a document", StoreUnavailable):
            if not self._holds(document.id, held):
                return False
            return bool(self._documents.replace_one(_of_content(document.id, held), stored).matched_count)

    def get(self, document_id: DocumentId) -> Raw | None:
        """Return the document, or None where there is none or what is stored is not valid."""
        with translated("read a document", StoreUnavailable):
            stored = self._documents.find_one({"_id": document_id})
        return None if stored is None else document_of(stored)

    def author_of(self, document_id: DocumentId) -> AuthorId | None:
        """Return whose document it is without reading it; None where there is none."""
        with translated("read a document's author", StoreUnavailable):
            stored = self._documents.find_one({"_id": document_id}, {"author.id": 1})
        author = (stored or {}).get("author")
        return author.get("id") if isinstance(author, dict) else None

    def delete(self, document_id: DocumentId) -> bool:
        """Remove the document; False where there was none."""
        with translated("delete a document", StoreUnavailable):
            return self._documents.delete_one({"_id": document_id}).deleted_count > 0

    def find(
        self,
        *,
        author: AuthorId | None = None,
        type: DocumentType | None = None,  # noqa: A002 - the contract's own field name
        after: DocumentId | None = None,
        limit: int = 100,
    ) -> list[Raw]:
        """Return documents in id order after `after`; what is stored and not valid is left out."""
        wanted = {"author.id": author, "type": type.value if type else None}
        where = {field: value for field, value in wanted.items() if value is not None} | _after(after)
        found: list[Raw] = []
        with translated("list documents", StoreUnavailable), self._documents.find(where).sort("_id", 1) as cursor:
            for stored in cursor.batch_size(min(limit, _PAGE)):
                document = document_of(stored)
                found += [] if document is None else [document]
                if len(found) == limit:
                    break
        return found

    def authors(self) -> list[AuthorCount]:
        """Return every author with a document, by id, under the name that their newest document gives."""
        with translated("list authors", StoreUnavailable):
            rows = list(self._documents.aggregate(_AUTHORS, allowDiskUse=True))
        return [AuthorCount(AuthorRef(id=row["_id"], name=row["name"]), row["documents"]) for row in rows]

    def count(self) -> int:
        """Return how many documents the store holds."""
        with translated("count documents", StoreUnavailable):
            return self._documents.count_documents({"author.id": {"$type": "string"}})

    def hashes(self, after: DocumentId | None, limit: int) -> list[tuple[DocumentId, Digest]]:
        """Return (id, content hash) in id order, as the feed's events carry them; empty means the end."""
        with translated("list content hashes", StoreUnavailable):
            rows = [row_of(stored, ZERO) for stored in self._documents.find(_after(after)).sort("_id", 1).limit(limit)]
        return [(row.document_id, row.content_hash) for row in rows if row.content_hash]

    def read(self, ids: Sequence[DocumentId], at_least: Version | None = None) -> Snapshot:
        """Return the present state of `ids` at one moment; see the port.

        A reply holds 16 MB at most, so the rest is asked for at the same moment until there is none.
        """
        wanted = sorted(set(ids))
        version, rows = self._snapshot(
            {"_id": {"$in": wanted}}, len(wanted), at_least=max(self._floor, at_least or ZERO)
        )
        found = {row["_id"]: row for row in rows}
        while rows and (left := [one for one in wanted if one > rows[-1]["_id"]]):
            _, rows = self._snapshot({"_id": {"$in": left}}, len(left), at=version)
            found |= {row["_id"]: row for row in rows}
        absent = tuple(one for one in dict.fromkeys(ids) if one not in found)
        return Snapshot(tuple(row_of(row, version) for row in found.values()), absent, version)

    def scan(self, after: DocumentId | None, limit: int) -> Snapshot:
        """Return the next rows in id order at one moment, fewer where their bodies are large."""
        version, rows = self._snapshot(_after(after), limit, at_least=self._floor)
        return Snapshot(tuple(row_of(row, version) for row in rows), (), version)

    def changes(self, position: str | None) -> MongoChangeFeed:
        """Open the feed after `position`; None means from now on. Whoever opened it closes it."""
        feed = MongoChangeFeed(self._database, COLLECTION, position)
        self._floor = max(self._floor, time_of(feed.position()))
        return feed

    def captured(self, position: str) -> bool:
        """Return whether a feed at this position would have nothing to read; see the port.

        A stream there either shows a change, or its token passes the time that a majority had when this was asked.
        """
        with translated("ask how far a majority is", StoreUnavailable):
            now = version_of(self._database.command("hello")["lastWrite"]["majorityOpTime"]["ts"])
        try:
            with closing(MongoChangeFeed(self._database, COLLECTION, position, LOOK_MILLISECONDS)) as feed:
                deadline = time.monotonic() + WAIT_SECONDS
                while time_of(feed.position()) < now:
                    if feed.read(1, _POLL_SECONDS):
                        return False
                    if time.monotonic() > deadline:
                        message = f"a change stream did not reach the present in {WAIT_SECONDS:g} s"
                        raise StoreUnavailable(message)
        except PositionLost:
            return False
        return True

    def headroom(self, position: str) -> float | None:
        """Return the seconds from the oplog's oldest entry to the position; None where it cannot be read at once."""
        local = self._database.client.get_database(
            "local", read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("local")
        )
        try:
            with pymongo.timeout(HEADROOM_SECONDS):
                oldest = local.get_collection("oplog.rs").find_one({}, {"ts": 1}, sort=[("$natural", 1)])
            return None if oldest is None else max(0.0, float(time_of(position).seconds - oldest["ts"].time))
        except (PyMongoError, ValueError):  # the latter for a position that is damaged: the feed will say so
            return None

    def forget_deletions(self, before: datetime) -> int:  # noqa: ARG002 - the port's signature
        """Return 0: the oplog forgets by itself, and keeps 48 hours where it is set up as the documentation says."""
        return 0

    def compact(self) -> bool:
        """Return False: the server gives back and reuses its space itself."""
        return False

    def close(self) -> None:
        """Release the client. Idempotent."""
        self._database.client.close()

    def __enter__(self) -> Self:
        """Return the store; leaving closes it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
        self.close()

    def _holds(self, document_id: DocumentId, digest: Digest) -> bool:
        """Return whether the store has this very content; what no longer validates is written anew."""
        stored = self._documents.find_one(_of_content(document_id, digest))
        document = None if stored is None else document_of(stored)
        return document is not None and content_hash(document) == digest

    def _snapshot(
        self, where: Stored, limit: int, *, at_least: Version = ZERO, at: Version | None = None
    ) -> tuple[Version, list[Stored]]:
        """Return rows in id order, fewer where they are large, and the moment that the server chose or was told."""
        concern: Stored = {"level": "snapshot"}
        if at is not None:
            concern["atClusterTime"] = Timestamp(at.seconds, at.increment)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            with translated("read a snapshot", StoreUnavailable):
                cursor = self._database.command(
                    "find",
                    COLLECTION,
                    filter=where,
                    sort={"_id": 1},
                    limit=max(1, limit),
                    batchSize=max(1, limit),
                    singleBatch=True,
                    readConcern=concern,
                    codec_options=self._database.codec_options,
                )["cursor"]
            version = version_of(cursor["atClusterTime"])
            if version >= at_least:
                return version, cursor["firstBatch"]
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"the store is at {version}, and {at_least} was asked for")
            time.sleep(_POLL_SECONDS)


_AUTHORS: Final[Sequence[Stored]] = (
    {"$match": {"author.id": {"$type": "string"}}},
    {"$project": {"author": 1, "committed_at": 1}},
    {"$sort": {"committed_at": 1}},
    {"$group": {"_id": "$author.id", "name": {"$last": "$author.name"}, "documents": {"$sum": 1}}},
    {"$sort": {"_id": 1}},
)


def _after(document_id: DocumentId | None) -> Stored:
    return {"_id": {"$gt": document_id, "$type": "string"}} if document_id else dict(TEXT_IDS)


def _of_content(document_id: DocumentId, digest: Digest) -> Stored:
    return {"_id": document_id, "content_hash": digest}
