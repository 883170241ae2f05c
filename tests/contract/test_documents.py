"""Document stores: the contract for every adapter, and what only the SQLite file promises."""

import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from contract.conformance.change_feed_contract import RowFeedContract
from contract.conformance.documents_contract import RowStoreContract
from contract.conformance.documents_home import changes_after, now_position, of_size, post
from fakes.clock import SettableClock
from fakes.documents import Contents, InMemoryDocumentStore
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import document_id_of
from twin_platform.documents.errors import StoreUnavailable
from twin_platform.documents.open import open_document_store
from twin_platform.documents.sqlite import SqliteDocumentStore
from twin_platform.errors import UnknownScheme
from twin_platform.records.sqlite import SqliteRecordStore
from twin_platform.sqlite import ForeignDatabase, OtherFormat

MEBIBYTE = 1024 * 1024

WRITE_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from twin_contracts.documents import AuthorRef, RawPost, Source, document_id_of
from twin_platform.documents.sqlite import SqliteDocumentStore
from twin_platform.telemetry.clock import SystemClock
store = SqliteDocumentStore(Path(sys.argv[1]), SystemClock())
for number in count():
    document_id = document_id_of(str(number))
    author, source = AuthorRef.of("Ada"), Source(platform="test")
    store.upsert(RawPost(id=document_id, author=author, source=source, text="word " * 2000))
    print(document_id, flush=True)
"""


def write(store: SqliteDocumentStore, count: int) -> list[DocumentId]:
    """Write documents of new ids and return these."""
    documents = [post(str(uuid4())) for _ in range(count)]
    for document in documents:
        store.upsert(document)
    return [document.id for document in documents]


class SqliteHome:
    """A folder with the file and its backup."""

    def __init__(self, folder: Path) -> None:
        self.path, self._backup = folder / "documents.db", folder / "backup.db"

    def open(self, clock: SettableClock) -> SqliteDocumentStore:
        return SqliteDocumentStore(self.path, clock)

    def back_up(self) -> None:
        self.open(SettableClock()).close()
        shutil.copy(self.path, self._backup)

    def restore(self) -> None:
        shutil.copy(self._backup, self.path)

    def create_anew(self) -> None:
        self.path.unlink()

    def spoil(self, document_id: DocumentId, body: bytes) -> Digest:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("UPDATE documents SET body = ? WHERE id = ?", (body, document_id))
        return hashlib.sha256(body).hexdigest()


class InMemoryHome:
    """Contents and a copy of them."""

    def __init__(self) -> None:
        self._contents, self._backup = Contents(), Contents()

    def open(self, clock: SettableClock) -> InMemoryDocumentStore:
        return InMemoryDocumentStore(clock, self._contents)

    def back_up(self) -> None:
        self._backup = self._contents.copy()

    def restore(self) -> None:
        self._contents = self._backup.copy()

    def create_anew(self) -> None:
        self._contents = Contents()

    def spoil(self, document_id: DocumentId, body: bytes) -> Digest:
        rows = self._contents.rows
        rows[document_id] = rows[document_id].with_body(body)
        return hashlib.sha256(body).hexdigest()


class TestInMemoryDocumentStore(RowStoreContract, RowFeedContract):
    @pytest.fixture
    def home(self) -> InMemoryHome:
        return InMemoryHome()


class TestSqliteDocumentStore(RowStoreContract, RowFeedContract):
    @pytest.fixture
    def home(self, tmp_path: Path) -> SqliteHome:
        return SqliteHome(tmp_path)

    @pytest.fixture
    def store(self, home: SqliteHome, clock: SettableClock) -> Iterator[SqliteDocumentStore]:
        with home.open(clock) as store:
            yield store

    def test_every_commit_is_synced_to_disk(self, store: SqliteDocumentStore) -> None:
        pragmas = [
            store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]

        assert pragmas == ["wal", 2]

    def test_a_writer_killed_in_the_middle_loses_nothing_it_acknowledged(
        self, home: SqliteHome, clock: SettableClock
    ) -> None:
        with home.open(clock) as store:
            position = now_position(store)
        writer = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, home.path], stdout=subprocess.PIPE, text=True)
        with writer:
            assert writer.stdout is not None
            acknowledged = [writer.stdout.readline().strip() for _ in range(30)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += writer.stdout.read().split()

        with home.open(clock) as again:
            fed = [change.document_id for change in changes_after(again, position)]
            assert [document_id for document_id in acknowledged if again.get(document_id) is None] == []
            assert fed[: len(acknowledged)] == acknowledged

    def test_a_commit_of_another_opening_wakes_a_waiting_feed(
        self, home: SqliteHome, store: SqliteDocumentStore, clock: SettableClock
    ) -> None:
        with home.open(clock) as other, closing(store.changes(None)) as feed, ThreadPoolExecutor(1) as pool:
            reading = pool.submit(feed.read, limit=9, wait=10.0)
            other.upsert(post("a"))

            assert len(reading.result(timeout=5.0)) == 1

    def test_openings_that_write_at_once_never_share_a_version(
        self, home: SqliteHome, store: SqliteDocumentStore, clock: SettableClock
    ) -> None:
        position = now_position(store)
        with home.open(clock) as other, ThreadPoolExecutor(2) as pool:
            writing = [pool.submit(write, opening, 40) for opening in (store, other)]
            written = [document_id for future in writing for document_id in future.result()]

        changes = changes_after(store, position)

        assert sorted(change.document_id for change in changes) == sorted(written)
        assert all(earlier.version < later.version for earlier, later in pairwise(changes))

    def test_a_waiting_feed_holds_no_transaction(self, home: SqliteHome, store: SqliteDocumentStore) -> None:
        with closing(store.changes(None)) as feed, closing(sqlite3.connect(home.path)) as other:
            feed.read(limit=9, wait=0)
            store.upsert(post("a"))

            busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

        assert busy == 0

    def test_steps_and_reads_of_large_documents_are_short_and_skip_nothing(
        self, store: SqliteDocumentStore, clock: SettableClock
    ) -> None:
        position = now_position(store)
        for name, size in (("a", 3), ("b", 3), ("c", 5), ("d", 1), ("e", 1)):
            large = of_size(size * MEBIBYTE, clock.now())
            store.upsert(large.model_copy(update={"id": document_id_of(name)}))

        with closing(store.changes(position)) as feed:
            counts = [len(changes) for changes in iter(lambda: feed.read(limit=9, wait=0), [])]

        assert counts == [1, 1, 1, 2]
        assert len(store.scan(None, 9).rows) < 5
        assert store.count() == 5

    def test_a_full_disk_is_transient_and_the_store_goes_on_when_there_is_room(
        self, store: SqliteDocumentStore, clock: SettableClock
    ) -> None:
        position, large = now_position(store), of_size(MEBIBYTE, clock.now())
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreUnavailable, match="full"):
            store.upsert(large)
        store._connection.execute("PRAGMA max_page_count = 1000000")

        assert store.upsert(large).changed

        assert len(changes_after(store, position)) == 1

    def test_a_writer_that_another_process_keeps_waiting_gives_up_as_transient(
        self, home: SqliteHome, store: SqliteDocumentStore
    ) -> None:
        store._connection.execute("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(home.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            with pytest.raises(StoreUnavailable, match="locked"):
                store.upsert(post("a"))

            other.execute("ROLLBACK")
        assert store.upsert(post("a")).changed

    def test_a_file_that_is_no_database_is_refused_and_left_untouched(
        self, home: SqliteHome, clock: SettableClock
    ) -> None:
        home.path.write_bytes(b"my diary" * 1000)

        with pytest.raises(
            ForeignDatabase,
            match="untouched, and holds the documents: restore it from a backup",
        ):
            home.open(clock)

        assert home.path.read_bytes() == b"my diary" * 1000

    def test_another_program_s_database_is_refused_and_left_untouched(
        self, home: SqliteHome, clock: SettableClock
    ) -> None:
        with closing(sqlite3.connect(home.path)) as connection, connection:
            connection.execute("CREATE TABLE diary (entry)")
        before = home.path.read_bytes()

        with pytest.raises(ForeignDatabase, match="another program"):
            home.open(clock)

        assert home.path.read_bytes() == before

    def test_a_record_store_is_refused(self, home: SqliteHome, clock: SettableClock) -> None:
        SqliteRecordStore(home.path).close()

        with pytest.raises(ForeignDatabase, match="another store"):
            home.open(clock)

    def test_a_newer_format_is_refused(self, home: SqliteHome, clock: SettableClock) -> None:
        home.open(clock).close()
        with closing(sqlite3.connect(home.path)) as connection:
            connection.execute("PRAGMA user_version = 2")

        with pytest.raises(OtherFormat, match="has format 2 and this program reads format 1"):
            home.open(clock)

    def test_a_file_damaged_inside_is_named_with_what_to_do(self, home: SqliteHome, clock: SettableClock) -> None:
        with home.open(clock) as store:
            for number in range(50):
                store.upsert(post(str(number)))
        intact = home.path.read_bytes()
        home.path.write_bytes(intact[:4096] + b"\x55" * (len(intact) - 4096))

        with home.open(clock) as damaged, pytest.raises(ForeignDatabase, match="restore it from a backup"):
            damaged.scan(None, 100)


def test_a_url_opens_the_store_its_scheme_names(tmp_path: Path) -> None:
    with open_document_store(f"sqlite://{tmp_path}/documents.db", SettableClock()) as store:
        store.upsert(post("a"))

    assert (tmp_path / "documents.db").exists()


def test_a_url_of_no_known_adapter_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownScheme, match="sqlite://"):
        open_document_store("postgres://localhost/x", SettableClock())
