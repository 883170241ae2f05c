"""What the faults are survived on: installations with one adapter or another, and what a test does to each."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from benchmarks.processes import Services
from benchmarks.served import RabbitmqServices, ServedServices
from faults.foreign import damage_document, publish_bytes, write_document
from integration.mongod import database_url
from twin_contracts.base import DocumentId
from twin_contracts.queues import Queue
from twin_platform.documents.mongo import COLLECTION
from twin_platform.mongo import SELECTION_MILLISECONDS, Stored
from twin_platform.records.mongo import SUFFIX
from twin_platform.records.positions import POSITIONS, SOURCE

NOISE = "_noise"
"""Of a database's name: one beside it that is written to so that the oplog moves."""


@dataclass
class SqliteInstallation(Services):
    """Documents, records and log in SQLite, vectors on Edge."""

    faults: ClassVar[frozenset[int]] = frozenset({1, 2, 3, 6, 8, 10, 17, 18, 19, 26, 27, 28, 29, 30, 34, 35, 36})
    """Which faults are survived here, of those that are a matter of `services`."""
    needs: ClassVar[Sequence[str]] = ()
    """Fixtures that it is made with, by their names."""

    def lose_position(self) -> str:
        """Lose what a cdc would have to read that does not run now; return what was done."""
        forgotten = self.documents.forget_deletions(self.clock.now() + timedelta(hours=1))
        assert forgotten > 0, "nothing was deleted, so nothing could be forgotten"
        return f"{forgotten} deletions forgotten"

    def write_foreign(self, document_id: DocumentId, body: bytes) -> None:
        """Store what another program may write; the change feed tells it."""
        write_document(self.folder, document_id, body)

    def damage(self, document_id: DocumentId, body: bytes) -> None:
        """Replace what is stored, behind the change feed's back where that is possible."""
        damage_document(self.folder, document_id, body)

    def publish_bytes(self, queue: Queue, headers: str, body: bytes) -> None:
        """Put a message into a queue of the log past its port; `headers` should be JSON."""
        publish_bytes(self.folder, queue, headers, body)


@dataclass
class RabbitmqInstallation(RabbitmqServices, SqliteInstallation):
    """The log on a RabbitMQ broker, the rest as above."""

    faults: ClassVar[frozenset[int]] = frozenset({0, 11, 12, 13, 14, 15, 16, 18, 19, 29, 36})
    needs: ClassVar[Sequence[str]] = ("broker",)

    def publish_bytes(self, queue: Queue, headers: str, body: bytes) -> None:
        """Put a message into a queue past the log; headers that are no JSON are none, or none of ours."""
        try:
            table = json.loads(headers)
        except ValueError:
            table = {"unknown": headers} if headers else None
        with self.connected() as channel:
            channel.confirm_delivery()
            properties = pika.BasicProperties(headers=table, delivery_mode=2)  # type: ignore[no-untyped-call]  # pika's
            channel.basic_publish("", queue.name, body, properties)

    @contextmanager
    def connected(self) -> Iterator[BlockingChannel]:
        """Yield a channel to the broker, for what another program may do there."""
        with self.broker.connect(self.vhost) as connection:
            yield connection.channel()


@dataclass
class ServedInstallation(ServedServices, RabbitmqInstallation):
    """Log and vectors on servers, the vectors' a stand-in for Qdrant: the faults that reach the vectors."""

    faults: ClassVar[frozenset[int]] = frozenset({17, 20, 21, 22, 23, 24, 25, 26, 27, 30, 34})


@dataclass
class MongodbInstallation(SqliteInstallation):
    """Documents and records in databases of their own on a MongoDB, dropped afterwards; the rest as above."""

    faults: ClassVar[frozenset[int]] = frozenset({1, 2, 3, 6, 8, 10, 35})
    needs: ClassVar[Sequence[str]] = ("server",)
    server: str = field(kw_only=True)

    def __post_init__(self) -> None:
        """Name the databases, and open everything."""
        self.client = MongoClient[Stored](self.server, tz_aware=True, serverSelectionTimeoutMS=SELECTION_MILLISECONDS)
        self.database: Database[Stored] = self.client.get_database(f"twin_fault_{uuid4().hex[:12]}")
        self.urls = dict.fromkeys(("documents", "records"), database_url(self.server, self.database.name))
        super().__post_init__()

    def lose_position(self) -> str:
        """Damage the token; what the server says of one that is too old, a test with an oplog of its own shows."""
        stored = self.records.get(POSITIONS, SOURCE)
        assert stored is not None, "cdc has written no position yet"
        self.records.put(POSITIONS, SOURCE, stored.record.model_copy(update={"token": "damaged"}), stored.revision)
        return f"the token {stored.record.token[:18]}… damaged"

    def write_foreign(self, document_id: DocumentId, body: bytes) -> None:
        """Store it past the validator; bytes that are no JSON become a field."""
        held = self.database.get_collection(COLLECTION)
        held.replace_one({"_id": document_id}, foreign(document_id, body), upsert=True, bypass_document_validation=True)

    def damage(self, document_id: DocumentId, body: bytes) -> None:
        """Replace it; nothing in MongoDB is behind the feed's back."""
        held = self.database.get_collection(COLLECTION)
        replaced = held.replace_one({"_id": document_id}, foreign(document_id, body), bypass_document_validation=True)
        assert replaced.matched_count == 1, f"there is no document {document_id!r} to damage"

    def close(self) -> None:
        """Kill what still runs, release the stores and drop the databases."""
        super().close()
        with suppress(PyMongoError):  # a server that a test has broken says so in the test
            for suffix in ("", SUFFIX, NOISE):
                self.client.drop_database(self.database.name + suffix)
        self.client.close()


def foreign(document_id: DocumentId, body: bytes) -> Stored:
    """Return bytes as fields under this id: the JSON's, or one that holds them."""
    try:
        fields = json.loads(body)
    except ValueError:
        fields = {"body": body}
    return {"_id": document_id, **fields}
