"""Every feature store keeps the port's promises; what only a folder can show stands below."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contract.conformance.features_contract import PARTITIONS, FeatureStoreContract
from fakes.feature_samples import EMBEDDER, asked, deleted, indexed, seen, stored, version
from fakes.features import InMemoryFeatureStore
from twin_contracts.documents import MAX_DOCUMENT_BYTES
from twin_contracts.records import RecordStatus
from twin_platform.errors import UnknownScheme
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import Alias, Delete
from twin_platform.features.errors import FeaturesUnavailable, FeaturesUnreadable
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import ApplyDocument, FeatureStore
from twin_platform.features.store import PointFeatureStore

TESTS = Path(__file__).parents[1]
APPLY_AND_DIE = """
import os, pathlib, signal, sys
from fakes.feature_samples import EMBEDDER, asked, deleted, indexed, version
from fakes.features import InterruptedEngine
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.store import PointFeatureStore

def die():
    os.kill(os.getpid(), signal.SIGKILL)

engine = EdgeEngine(pathlib.Path(sys.argv[1]), EMBEDDER.spec)
PointFeatureStore(engine).apply([indexed("essay", version(1), ["a", "b"]), indexed("gone", version(1), ["x"])])
writer = InterruptedEngine(engine, int(sys.argv[2]), die)
PointFeatureStore(writer).apply([indexed("essay", version(2), ["c", "d", "e"]), deleted("gone", version(2))])
die()
"""
"""Flushes nothing."""
OLD, NEW = {"a", "b"}, {"c", "d", "e"}


class TestInMemoryFeatureStore(FeatureStoreContract):
    @pytest.fixture
    def store(self) -> Iterator[FeatureStore]:
        with InMemoryFeatureStore(PARTITIONS) as store:
            yield store


def copied(folder: Path, to: Path) -> Path:
    """Copy by the system's own command: Python's would write 280 MB of zeros, since nearly all of it is holes."""
    subprocess.run(["cp", "-r", folder, to], check=True)
    return to


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with empty collections: copying it is faster than creating their indexes."""
    folder = tmp_path_factory.mktemp("edge") / "features"
    EdgeEngine(folder, EMBEDDER.spec).close()
    return folder


@pytest.fixture
def folder(empty_folder: Path, tmp_path: Path) -> Path:
    return copied(empty_folder, tmp_path / "features")


@pytest.fixture(scope="module")
def one_engine(empty_folder: Path) -> Iterator[EdgeEngine]:
    """Open a folder once: each opening waits for the disk many times."""
    engine = EdgeEngine(copied(empty_folder, empty_folder.with_name("reused")), EMBEDDER.spec)
    yield engine
    engine.close()


class TestEdgeFeatureStore(FeatureStoreContract):
    @pytest.fixture
    def store(self, one_engine: EdgeEngine) -> FeatureStore:
        for alias in Alias:
            one_engine.write(alias, [Delete(())])
        return PointFeatureStore(one_engine, PARTITIONS)


@pytest.mark.parametrize(
    ("writes", "essay", "gone"),
    [(4, OLD, set()), (5, NEW, set()), (99, NEW, set())],
    ids=["chunks, no record", "record, no clean-up", "all of it"],
)
def test_what_was_written_survives_a_killed_process_as_no_mixture(
    folder: Path, writes: int, essay: set[str], gone: set[str]
) -> None:
    died = subprocess.run(
        [sys.executable, "-c", APPLY_AND_DIE, str(folder), str(writes)],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        check=False,
    )

    with PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)) as store:
        assert died.returncode == -signal.SIGKILL
        assert (seen(store, "essay"), seen(store, "gone")) == (essay, gone)
        store.apply([indexed("essay", version(2), ["c", "d", "e"]), deleted("gone", version(2))])
        assert (stored(store, "essay"), stored(store, "gone")) == (["c", "d", "e"], [])


def test_readers_beside_a_writer_see_one_revision_at_a_time(one_engine: EdgeEngine) -> None:
    store = PointFeatureStore(one_engine)
    revisions = [{f"{number} {letter}" for letter in "abc"} for number in range(20)]
    store.apply([indexed("serial", version(1), sorted(revisions[0]))])
    written = threading.Event()

    def read() -> int:
        reads = 0
        while not written.is_set():
            found = seen(store, "serial")
            assert any(found <= revision for revision in revisions)
            reads += bool(found)
        return reads

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for number, texts in enumerate(revisions[1:], start=2):
            store.apply([indexed("serial", version(number), sorted(texts))])
        written.set()

    assert all(reader.result() > 0 for reader in readers)
    assert seen(store, "serial") == revisions[-1]


def test_a_document_of_eight_mebibytes_comes_back_whole(one_engine: EdgeEngine) -> None:
    store = PointFeatureStore(one_engine)
    change = indexed("book", version(1), ["a"])
    record = change.record.model_copy(update={"text": "é" * (MAX_DOCUMENT_BYTES // 2)})

    store.apply([ApplyDocument(record, change.chunks)])

    assert store.records([record.document_id]) == {record.document_id: record}


def test_the_engines_log_stays_small_however_much_is_replaced(tmp_path: Path) -> None:
    with PointFeatureStore(EdgeEngine(tmp_path, EMBEDDER.spec)) as store:
        change = indexed("essay", version(1), ["a"])
        for number in range(1, 41):
            record = change.record.model_copy(update={"version": version(number), "text": "x" * 1_000_000})
            store.apply([ApplyDocument(record, change.chunks)])
            store.flush()

    size = sum(file.stat().st_size for file in tmp_path.glob("*/wal/*"))
    assert size < 40_000_000


def test_a_folder_is_open_once_at_a_time(folder: Path) -> None:
    with (
        PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)),
        pytest.raises(FeaturesUnavailable, match="another process"),
    ):
        EdgeEngine(folder, EMBEDDER.spec)


@pytest.mark.parametrize("file", ["edge_config.json", "segments/*/segment.json"])
def test_a_damaged_folder_says_what_to_do(folder: Path, file: str) -> None:
    for damaged in folder.glob(f"chunks_prose__*/{file}"):
        damaged.write_text("{")

    with pytest.raises(FeaturesUnreadable, match="move the folder away"):
        EdgeEngine(folder, EMBEDDER.spec)


def test_a_creation_that_was_cut_short_is_begun_again(folder: Path) -> None:
    (collection,) = folder.glob("chunks_code__*")
    collection.rename(collection.with_name(collection.name + ".new"))

    with PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)) as store:
        assert store.count_chunks() == 0
    assert collection.exists()


def test_another_spec_begins_with_empty_collections_and_so_does_the_first_one_after_it(folder: Path) -> None:
    other = EMBEDDER.spec.model_copy(update={"id": "other-64"})

    with PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)) as store:
        store.apply([indexed("essay", version(1), ["a"])])
    for spec in (other, EMBEDDER.spec):
        with PointFeatureStore(EdgeEngine(folder, spec)) as store:
            assert (store.count_records(RecordStatus.INDEXED), store.count_chunks(), store.is_empty()) == (1, 0, True)
            store.apply([indexed("essay", version(2), ["a"])])
            store.apply([indexed("essay", version(3), ["b"])])
        assert (folder / "chunks_prose.alias").read_text() == f"chunks_prose__{spec.id}__packed"
        assert len(list(folder.glob("chunks_*__*"))) == 2


def test_collections_of_an_older_form_are_begun_anew_and_leave_nothing_behind(folder: Path) -> None:
    with PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)) as store:
        store.apply([indexed("essay", version(1), ["a"])])
    for collection in folder.glob("*__*"):
        collection.rename(folder / collection.name.removesuffix("__packed"))

    with PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)) as store:
        assert (store.count_chunks(), store.is_empty()) == (0, True)
    assert len(list(folder.glob("*__*"))) == 3


def test_a_disk_that_is_nearly_full_is_said_before_anything_is_written(folder: Path) -> None:
    with PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec)) as store:
        store.apply([indexed("essay", version(1), ["a"])])

    with pytest.raises(FeaturesUnavailable, match="make room"):
        EdgeEngine(folder, EMBEDDER.spec, reserve=2**60)


def test_a_closed_store_is_unavailable(folder: Path) -> None:
    store = PointFeatureStore(EdgeEngine(folder, EMBEDDER.spec))
    store.close()
    store.close()

    with pytest.raises(FeaturesUnavailable):
        store.search(asked("anything"))


def test_the_scheme_of_the_url_picks_the_adapter(folder: Path) -> None:
    with open_feature_store(f"edge://{folder}", EMBEDDER.spec) as store:
        assert store.is_empty()

    with pytest.raises(UnknownScheme, match="edge://"):
        open_feature_store("qdrant://vectors:6333", EMBEDDER.spec)


def test_documents_that_are_edited_for_ever_take_no_more_room(folder: Path) -> None:
    engine = EdgeEngine(folder, EMBEDDER.spec, replaced_before_rebuild=1_000)
    with PointFeatureStore(engine) as store:
        for edition in range(1, 41):
            store.apply([indexed("essay", version(edition), [f"{edition}.{part}" for part in range(50)])])
            if edition % 10 == 0:
                store.flush()

        held = engine._shards[Alias.CHUNKS_PROSE].info().indexed_vectors_count

    assert held < 1_000, "of the 2,000 chunks that were written 50 are left"
