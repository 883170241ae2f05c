"""Opening the document store in MongoDB: its collection, validator and indexes, made where they are not there yet."""

from typing import Final

from pymongo.database import Database
from pymongo.errors import CollectionInvalid, OperationFailure

from twin_contracts.documents import DocumentType
from twin_platform.documents.errors import StoreUnavailable
from twin_platform.documents.mongo import COLLECTION, MongoDocumentStore
from twin_platform.mongo import Stored, durable, open_database, translated
from twin_platform.telemetry.clock import Clock

VALIDATOR: Final[Stored] = {
    "$jsonSchema": {
        "required": ["_id", "type", "author", "source", "text"],
        "properties": {
            "_id": {"bsonType": "string"},
            "type": {"enum": [kind.value for kind in DocumentType]},
            "author": {"bsonType": "object", "required": ["id", "name"]},
            "source": {"bsonType": "object", "required": ["platform"]},
            "text": {"bsonType": "string"},
        },
    }
}
"""What every raw document has. It stops a mistaken program; what passes it and is none is told as `rejected`."""
_EXISTS: Final = 48
INDEXES: Final = ((("author.id", 1), ("_id", 1)), (("type", 1), ("_id", 1)))


def open_mongo_documents(url: str, clock: Clock) -> MongoDocumentStore:
    """Open the store at a `mongodb://` URL and prepare its database.

    Raises:
        ServerUnfit, ServerRefused: as `open_database`.
        StoreUnavailable: transient.
    """
    database = open_database(url)
    try:
        prepare(database)
    except BaseException:
        database.client.close()
        raise
    return MongoDocumentStore(database, clock)


def prepare(database: Database[Stored]) -> None:
    """Make the collection with its validator and indexes, or bring them up to date. Idempotent; any number at once."""
    made = durable(database)
    with translated("prepare the collection", StoreUnavailable):
        if not _create(made):
            made.command("collMod", COLLECTION, validator=VALIDATOR)
        for keys in INDEXES:
            made.get_collection(COLLECTION).create_index(list(keys))


def _create(made: Database[Stored]) -> bool:
    """Make the collection; False where it is there, also since a moment ago."""
    try:
        made.create_collection(COLLECTION, validator=VALIDATOR)
    except CollectionInvalid:
        return False
    except OperationFailure as error:
        if error.code == _EXISTS:
            return False
        raise
    return True
