"""Record stores: the contract for every adapter, and what only the SQLite file promises."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from contract.conformance.records_contract import NOTES, Note, RecordStoreContract, add_one
from fakes.clock import SettableClock
from fakes.mongo import Server
from fakes.records import InMemoryRecordStore
from twin_platform.documents.sqlite import SqliteDocumentStore
from twin_platform.errors import UnknownScheme
from twin_platform.records.errors import RecordsUnavailable
from twin_platform.records.mongo import SUFFIX, MongoRecordStore
from twin_platform.records.open import open_record_store
from twin_platform.records.sqlite import SqliteRecordStore
from twin_platform.sqlite import ForeignDatabase


class SqliteHome:
    """A folder with the file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.db"

    def open(self) -> SqliteRecordStore:
        return SqliteRecordStore(self.path)

    def spoil(self, collection: str, key: str, body: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("UPDATE records SET body = ? WHERE collection = ? AND key = ?", (body, collection, key))


class InMemoryHome:
    """The one store, which keeps its records however often it is closed."""

    def __init__(self) -> None:
        self._store = InMemoryRecordStore()

    def open(self) -> InMemoryRecordStore:
        return self._store

    def spoil(self, collection: str, key: str, body: str) -> None:
        revision, _ = self._store.bodies[collection, key]
        self._store.bodies[collection, key] = (revision, body)


class MongoHome:
    """One server in memory."""

    def __init__(self) -> None:
        self._server = Server()

    def open(self) -> MongoRecordStore:
        return MongoRecordStore(self._server.handle())

    def spoil(self, collection: str, key: str, body: str) -> None:
        held = self._server.database("twin" + SUFFIX).get_collection(collection)
        record = json.loads(body) if body.endswith("}") else body
        held.replace_one({"_id": key}, {"_id": key, "revision": 1, "record": record})


class TestMongoRecordStore(RecordStoreContract):
    @pytest.fixture
    def home(self) -> MongoHome:
        return MongoHome()


class TestInMemoryRecordStore(RecordStoreContract):
    @pytest.fixture
    def home(self) -> InMemoryHome:
        return InMemoryHome()


class TestSqliteRecordStore(RecordStoreContract):
    @pytest.fixture
    def home(self, tmp_path: Path) -> SqliteHome:
        return SqliteHome(tmp_path)

    def test_of_openings_that_race_for_a_revision_one_wins(self, home: SqliteHome) -> None:
        with home.open() as store, home.open() as other, ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda opening: add_one(opening, "a"), [store, other] * 50))

            stored = store.get(NOTES, "a")

        assert stored is not None
        assert stored.record.number == 100

    def test_a_full_disk_is_transient_and_nothing_is_written(self, home: SqliteHome) -> None:
        with home.open() as store:
            store.put(NOTES, "a", Note(number=1))
            pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
            store._connection.execute(f"PRAGMA max_page_count = {pages}")

            with pytest.raises(RecordsUnavailable, match="full"):
                store.put(NOTES, "a", Note(text="x" * 100_000))

            stored = store.get(NOTES, "a")
        assert stored is not None
        assert stored.record.number == 1

    def test_a_document_store_is_refused(self, home: SqliteHome) -> None:
        SqliteDocumentStore(home.path, SettableClock()).close()

        with pytest.raises(ForeignDatabase, match="another store"):
            home.open()

    def test_a_folder_that_does_not_exist_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(RecordsUnavailable, match="does its folder exist"):
            SqliteRecordStore(tmp_path / "missing" / "records.db")


def test_a_url_opens_the_store_its_scheme_names(tmp_path: Path) -> None:
    with open_record_store(f"sqlite://{tmp_path}/records.db") as store:
        store.put(NOTES, "a", Note())

    assert (tmp_path / "records.db").exists()


def test_a_url_of_no_known_adapter_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownScheme, match="sqlite://"):
        open_record_store("redis://localhost")
