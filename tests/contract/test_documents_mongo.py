"""The document store on MongoDB keeps the contract: here over a MongoDB in memory."""

import hashlib
import json

import pytest
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
from bson.timestamp import Timestamp

from contract.conformance.change_feed_contract import ChangeFeedContract
from contract.conformance.documents_contract import DocumentStoreContract
from fakes.clock import SettableClock
from fakes.mongo import Server
from twin_contracts.base import Digest, DocumentId
from twin_platform.documents.mongo import COLLECTION, MongoDocumentStore
from twin_platform.documents.mongo_prepare import prepare


class MemoryHome:
    """One server in memory."""

    def __init__(self) -> None:
        self.server = Server()

    def open(self, clock: SettableClock) -> MongoDocumentStore:
        prepare(self.server.handle())
        return MongoDocumentStore(self.server.handle(), clock)

    def create_anew(self) -> None:
        later = Timestamp(self.server.now.time + 1, 1)
        self.server = Server(now=later, forgotten=later)

    def spoil(self, document_id: DocumentId, body: bytes) -> Digest:
        try:
            fields = json.loads(body)
        except ValueError:
            fields = {"body": body}
        stored = {"_id": document_id, **fields}
        self.server.database().get_collection(COLLECTION).replace_one({"_id": document_id}, stored)
        return hashlib.sha256(dumps(stored, json_options=CANONICAL_JSON_OPTIONS).encode()).hexdigest()


class TestMongoDocumentStore(DocumentStoreContract, ChangeFeedContract):
    @pytest.fixture
    def home(self) -> MemoryHome:
        return MemoryHome()
