"""Record store in MongoDB, in a database beside the documents', so that it never enters their change stream."""

import json
import secrets
from typing import Final, Self

from pymongo.collection import Collection as Held
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from twin_platform.mongo import Stored as Document
from twin_platform.mongo import durable, open_database, put, translated
from twin_platform.records.errors import RecordsUnavailable
from twin_platform.records.port import ABSENT, Collection, R, RecordChanged, Stored
from twin_platform.records.validate import validated

SUFFIX: Final = "_records"
"""Of the database's name; a change stream watches one database."""
_REVISION_BITS: Final = 62


def open_mongo_records(url: str) -> "MongoRecordStore":
    """Open the store at a `mongodb://` URL, in the database beside the one that it names.

    Raises:
        ServerUnfit, ServerRefused: as `open_database`.
        TransientError: nobody answers.
    """
    return MongoRecordStore(open_database(url))


class MongoRecordStore:
    """Records, one document each in a collection of their name. Thread-safe; any number of processes.

    A revision is drawn at random for every write, so none is used twice: whoever holds a record's revision cannot
    overwrite another record that was put under its key after it was deleted.
    """

    def __init__(self, database: Database[Document]) -> None:
        """Take the handle of the documents' database."""
        self._database = durable(database, database.name + SUFFIX)

    def get(self, collection: Collection[R], key: str) -> Stored[R] | None:
        """Return the record, or None; raises `RecordUnreadable` where it no longer validates."""
        with translated("read a record", RecordsUnavailable):
            found = self._of(collection).find_one({"_id": key})
        return None if found is None else _stored(collection, found)

    def put(self, collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        """Write and return the new revision; see the port."""
        revision = secrets.randbits(_REVISION_BITS) + 1
        document = {"_id": key, "revision": revision, "record": json.loads(record.model_dump_json())}
        held = self._of(collection)
        with translated("write a record", RecordsUnavailable):
            if if_revision is None:
                put(held, document)
            elif not _put_if(held, document, if_revision):
                raise RecordChanged(collection.name, key, if_revision)
        return revision

    def delete(self, collection: Collection[R], key: str) -> bool:
        """Remove the record; False where there was none."""
        with translated("delete a record", RecordsUnavailable):
            return self._of(collection).delete_one({"_id": key}).deleted_count > 0

    def find(self, collection: Collection[R], after: str | None = None, limit: int = 1000) -> list[Stored[R]]:
        """Return records in key order after `after`; raises `RecordUnreadable` where one no longer validates."""
        with translated("list records", RecordsUnavailable):
            found = list(self._of(collection).find({"_id": {"$gt": after or ""}}).sort("_id", 1).limit(limit))
        return [_stored(collection, one) for one in found]

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

    def _of(self, collection: Collection[R]) -> Held[Document]:
        return self._database.get_collection(collection.name)


def _put_if(held: Held[Document], document: Document, revision: int) -> bool:
    if revision != ABSENT:
        return bool(held.replace_one({"_id": document["_id"], "revision": revision}, document).matched_count)
    try:
        held.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def _stored(collection: Collection[R], found: Document) -> Stored[R]:
    record = validated(collection, found["_id"], json.dumps(found.get("record")))
    return Stored(found["_id"], record, int(found.get("revision", ABSENT)))
