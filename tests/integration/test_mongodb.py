"""The adapters' contracts on a real MongoDB; `make test-mongodb`."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
from pymongo import MongoClient

from contract.conformance.change_feed_contract import ChangeFeedContract
from contract.conformance.documents_contract import DocumentStoreContract
from contract.conformance.records_contract import RecordStoreContract
from fakes.clock import SettableClock
from integration.mongod import database_url, server
from twin_contracts.base import Digest, DocumentId
from twin_platform.documents.mongo import COLLECTION, MongoDocumentStore
from twin_platform.documents.mongo_feed import time_of
from twin_platform.documents.mongo_prepare import open_mongo_documents
from twin_platform.mongo import Stored
from twin_platform.records.mongo import SUFFIX, MongoRecordStore, open_mongo_records

__all__ = ["server"]


class MongodbHome:
    """A database of the server's, one for each test."""

    def __init__(self, server: str) -> None:
        self.client = MongoClient[Stored](server)
        self.database = self.client.get_database(f"twin_test_{uuid4().hex[:12]}")
        self.url = database_url(server, self.database.name)

    def open(self, clock: SettableClock) -> MongoDocumentStore:
        return open_mongo_documents(self.url, clock)

    def create_anew(self) -> None:
        self.client.drop_database(self.database.name)

    def spoil(self, document_id: DocumentId, body: bytes) -> Digest:
        """Replace past the validator, as whoever may bypass it does."""
        try:
            fields = json.loads(body)
        except ValueError:
            fields = {"body": body}
        stored = {"_id": document_id, **fields}
        held = self.database.get_collection(COLLECTION)
        held.replace_one({"_id": document_id}, stored, bypass_document_validation=True)
        return hashlib.sha256(dumps(stored, json_options=CANONICAL_JSON_OPTIONS).encode()).hexdigest()

    def close(self) -> None:
        for name in (self.database.name, self.database.name + SUFFIX):
            self.client.drop_database(name)
        self.client.close()


class RecordsHome(MongodbHome):
    """The same for records."""

    def open(self) -> MongoRecordStore:  # type: ignore[override]  # records want no clock
        return open_mongo_records(self.url)

    def spoil(self, collection: str, key: str, body: str) -> None:  # type: ignore[override]  # records have names
        record = json.loads(body) if body.endswith("}") else body
        held = self.client.get_database(self.database.name + SUFFIX).get_collection(collection)
        held.replace_one({"_id": key}, {"_id": key, "revision": 1, "record": record})


class TestMongodbDocumentStore(DocumentStoreContract, ChangeFeedContract):
    @pytest.fixture
    def home(self, server: str) -> Iterator[MongodbHome]:
        home = MongodbHome(server)
        yield home
        home.close()

    def test_what_is_left_of_the_oplog_is_known_to_a_user_who_may_read_it(
        self, home: MongodbHome, clock: SettableClock
    ) -> None:
        oplog = home.client.get_database("local").get_collection("oplog.rs")
        with home.open(clock) as store, closing(store.changes(None)) as feed:
            headroom = store.headroom(feed.position())
            oldest = oplog.find_one({}, {"ts": 1}, sort=[("$natural", 1)])

            assert headroom is not None
            assert oldest is not None
            assert 0 <= headroom <= time_of(feed.position()).seconds - oldest["ts"].time


class TestMongodbRecordStore(RecordStoreContract):
    @pytest.fixture
    def home(self, server: str) -> Iterator[RecordsHome]:
        home = RecordsHome(server)
        yield home
        home.close()
