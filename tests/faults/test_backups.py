"""Faults of stores that were restored from an older backup."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
from pymongo import MongoClient

from benchmarks.broker import Broker
from benchmarks.ledger import Held, Ledger
from benchmarks.oracle import judge, leftovers
from benchmarks.targets import StoreTarget
from fakes.chain import Chain
from fakes.flow import eventually, post
from faults.chains import load
from faults.conftest import Seen
from faults.installations import ServedInstallation
from faults.table import fault
from integration.mongod import database_url
from twin_contracts.base import DocumentId
from twin_contracts.queues import DEFAULT_PARTITIONS, queues_of
from twin_platform.mongo import Stored
from twin_platform.records.mongo import SUFFIX

FILES = {"documents": "documents.db", "records": "records.db", "log": "log.db", "features": "vectors"}
RESTORED = "any one store restored from an older backup"


@dataclass
class Place:
    """Where the stores lie, and how each of them is put back as it was."""

    folder: Path

    def url(self, store: str) -> str:
        return f"edge://{self.folder}/vectors" if store == "features" else f"sqlite://{self.folder}/{FILES[store]}"

    def back_up(self, backup: Path) -> None:
        """Copy every store. None is open."""
        copy(self.folder, backup)

    def restore(self, backup: Path, store: str) -> None:
        """Put one store of the backup in the place of the present one. None is open."""
        restore(self.folder, backup, store)

    def waiting(self) -> Callable[[], int] | None:
        """Return what counts the events that are not acknowledged, where the log's port does not."""
        return None

    def close(self) -> None:
        """Leave nothing behind; the folder is the test's."""


class ServedPlace(Place):
    """Log and vectors on servers. A log has no backup: it is emptied; a vector store's is its folder's."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        super().__init__(folder)
        self._servers = ServedInstallation(folder.parent, Ledger(), broker=broker)

    def url(self, store: str) -> str:
        return self._servers.url(store) if store in {"log", "features"} else super().url(store)

    def back_up(self, backup: Path) -> None:
        super().back_up(backup)
        with self._stopped_vectors() as vectors:
            copy(vectors, backup / vectors.name)

    def restore(self, backup: Path, store: str) -> None:
        if store == "log":
            with self._servers.connected() as channel:
                for queue in queues_of(DEFAULT_PARTITIONS):
                    channel.queue_purge(queue.name)
        elif store == "features":
            with self._stopped_vectors() as vectors:
                shutil.rmtree(vectors)
                copy(backup / vectors.name, vectors)
        else:
            super().restore(backup, store)

    def waiting(self) -> Callable[[], int]:
        return self._servers.waiting

    def close(self) -> None:
        self._servers.close()

    @contextmanager
    def _stopped_vectors(self) -> Iterator[Path]:
        """Yield the folder of the vectors' server while it does not run."""
        self._servers.vectors.terminate()
        yield self._servers.vectors_folder
        self._servers.start_vectors()


class MongodbPlace(Place):
    """Documents and records in MongoDB; they are put back as `mongorestore --drop` does it."""

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(folder)
        self._client = MongoClient[Stored](server)
        name = f"twin_backup_{uuid4().hex[:12]}"
        self._url = database_url(server, name)
        self._databases = {"documents": name, "records": name + SUFFIX}
        self._dumped: dict[str, dict[str, list[Stored]]] = {}

    def url(self, store: str) -> str:
        return self._url if store in self._databases else super().url(store)

    def back_up(self, backup: Path) -> None:
        super().back_up(backup)
        for store, name in self._databases.items():
            database = self._client.get_database(name)
            self._dumped[store] = {one: list(database[one].find()) for one in database.list_collection_names()}

    def restore(self, backup: Path, store: str) -> None:
        if store not in self._databases:
            super().restore(backup, store)
            return
        database = self._client.get_database(self._databases[store])
        for name in database.list_collection_names():
            database.drop_collection(name)
        for name, documents in self._dumped[store].items():
            if documents:
                database[name].insert_many(documents)

    def close(self) -> None:
        for name in self._databases.values():
            self._client.drop_database(name)
        self._client.close()


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "data"
    folder.mkdir()
    match request.param:
        case "mongodb":
            made: Place = MongodbPlace(folder, request.getfixturevalue("server"))
        case "served":
            made = ServedPlace(folder, request.getfixturevalue("broker"))
        case _:
            made = Place(folder)
    yield made
    made.close()


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder; one that is sparse stays sparse."""
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


def restore(folder: Path, backup: Path, store: str) -> None:
    """Put one store of the backup in the place of the folder's."""
    for path in folder.glob(f"{FILES[store]}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy(backup / FILES[store], folder / FILES[store])


def ledger_after(chain: Chain, store: str) -> Ledger | dict[DocumentId, Held]:
    """Return what was acknowledged; where the documents themselves were restored, what they hold now."""
    return dict(chain.documents.hashes(None, 10_000)) if store == "documents" else chain.ledger


@pytest.mark.parametrize(
    ("place", "store"),
    [*product(("sqlite", "mongodb"), FILES), ("served", "log"), ("served", "features")],
    indirect=["place"],
)
@fault(33, RESTORED, expected="`twin resync` repairs it")
def test_a_resync_repairs_what_a_restored_backup_does_not_know(
    place: Place, tmp_path: Path, seen: Seen, store: str
) -> None:
    backup = tmp_path / "backup"
    chain, gone = Chain(place.folder, url=place.url, waiting=place.waiting()), post("gone", "Deleted after the backup.")
    with chain.opened():
        writes = load(chain)
        with chain.running():
            chain.put(gone)
            writes.run(40)
            chain.wait_until_quiet()
    place.back_up(backup)
    with chain.opened():
        writes.target = StoreTarget(chain.documents)
        with chain.running():
            chain.delete(gone)
            chain.put(post("new", "Written after the backup."))
            writes.run(40)
            chain.wait_until_quiet()
        with chain.capturing():
            writes.run(20)  # left in the log
            eventually(chain.is_captured)
    place.restore(backup, store)
    with chain.opened():
        writes.target = StoreTarget(chain.documents)
        writes.run(20)  # before anything could notice
        ledger = ledger_after(chain, store)
        with chain.running():
            chain.wait_until_quiet()
            before = judge(ledger, chain.documents, chain.features)
            chain.resync()
            chain.wait_until_quiet()

        after = judge(ledger, chain.documents, chain.features)
        seen(f"{store}: {before}; after a resync {after}, leftovers {leftovers(chain.features)}")
        assert after.exact
        assert leftovers(chain.features) == 0
