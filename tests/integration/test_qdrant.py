"""The vector store's contracts on a Qdrant server; `make test-qdrant`.

`QDRANT_TEST_URL` names a real one, whose collections are emptied; without it a stand-in is started.
"""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from qdrant_client.qdrant_remote import QdrantRemote

from benchmarks.spawn import wait_until
from contract.conformance.engine_contract import PointEngineContract
from contract.conformance.features_contract import PARTITIONS, FeatureStoreContract
from fakes.feature_samples import CODE, EMBEDDER, asked, deleted, indexed, seen, stored, version
from standins.qdrant_faults import Fault
from standins.qdrant_process import QdrantStandIn
from twin_contracts.documents import MAX_DOCUMENT_BYTES
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.records import RecordStatus
from twin_platform.features.engine import CHUNKS, Alias, Delete, PointEngine, collection_of
from twin_platform.features.errors import (
    FeaturesRefused,
    FeaturesUnavailable,
    FeaturesUnfit,
    PointRefused,
    VectorsUrlUnreadable,
)
from twin_platform.features.open import open_feature_store, read_feature_store
from twin_platform.features.port import ApplyDocument, FeatureStore
from twin_platform.features.qdrant import WRITING, QdrantEngine
from twin_platform.features.qdrant_link import Patience
from twin_platform.features.store import PointFeatureStore

QDRANT_TEST_URL = "QDRANT_TEST_URL"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that the tests of this file share."""
    if QDRANT_TEST_URL in os.environ:
        yield os.environ[QDRANT_TEST_URL]
    else:
        with QdrantStandIn(tmp_path_factory.mktemp("qdrant")) as server:
            yield server.url


@pytest.fixture(scope="module")
def one_engine(url: str) -> Iterator[QdrantEngine]:
    engine = QdrantEngine(url, EMBEDDER.spec)
    yield engine
    engine.close()


@pytest.fixture
def engine(one_engine: QdrantEngine) -> PointEngine:
    """The engine, emptied."""
    for alias in Alias:
        one_engine.write(alias, [Delete(())])
    return one_engine


class TestQdrantEngine(PointEngineContract):
    pass


class TestQdrantFeatureStore(FeatureStoreContract):
    @pytest.fixture
    def store(self, engine: PointEngine) -> FeatureStore:
        return PointFeatureStore(engine, PARTITIONS)


OTHER = EMBEDDER.spec.model_copy(update={"id": "other-64"})
IMPATIENT = Patience(answer_seconds=1, again_seconds=0.5)
BATCH = "points/batch"


@pytest.fixture(scope="module")
def one_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantStandIn]:
    with QdrantStandIn(tmp_path_factory.mktemp("standin")) as server:
        yield server


@pytest.fixture
def standin(one_standin: QdrantStandIn) -> QdrantStandIn:
    """A server with nothing on it, that a test may break."""
    one_standin.fault(Fault(times=0))
    with closing(QdrantRemote(url=one_standin.url, check_compatibility=False)) as client:
        for name in collections(one_standin):
            client.delete_collection(name)
    return one_standin


def opened(server: QdrantStandIn, spec: EmbeddingSpec = EMBEDDER.spec, patience: Patience = WRITING) -> QdrantEngine:
    return QdrantEngine(server.url, spec, patience)


def collections(server: QdrantStandIn) -> set[str]:
    with closing(QdrantRemote(url=server.url, check_compatibility=False)) as client:
        return {one.name for one in client.get_collections().collections}


def aliases(server: QdrantStandIn) -> dict[str, str]:
    with closing(QdrantRemote(url=server.url, check_compatibility=False)) as client:
        return {one.alias_name: one.collection_name for one in client.get_aliases().aliases}


def test_several_processes_open_a_new_server_at_once(standin: QdrantStandIn) -> None:
    with ThreadPoolExecutor(6) as pool:
        engines = list(pool.map(lambda _: opened(standin), range(6)))

    for engine in engines:
        engine.close()
    assert collections(standin) == {collection_of(alias, EMBEDDER.spec) for alias in Alias}
    assert aliases(standin) == {str(alias): collection_of(alias, EMBEDDER.spec) for alias in Alias}


def test_a_second_spec_takes_over_and_who_has_the_first_can_commit_nothing_more(standin: QdrantStandIn) -> None:
    with PointFeatureStore(opened(standin)) as before:
        before.apply([indexed("essay", version(1), ["a"])])
        with PointFeatureStore(opened(standin, OTHER)) as after:
            assert (after.count_records(RecordStatus.INDEXED), after.count_chunks(), after.is_empty()) == (1, 0, True)
            with pytest.raises(FeaturesUnavailable, match="another embedding model"):
                before.apply([indexed("essay", version(2), ["b"])])
            after.apply([indexed("essay", version(2), ["b"])])
            assert stored(after, "essay") == ["b"]
    assert aliases(standin)["chunks_prose"] == f"chunks_prose__{OTHER.id}"
    assert collections(standin) == {collection_of(alias, OTHER) for alias in Alias}


def test_of_two_specs_opened_at_once_one_is_gone_or_both(standin: QdrantStandIn) -> None:
    def open_once(spec: EmbeddingSpec) -> None:
        with suppress(FeaturesUnavailable):  # its collections were removed while it made them
            opened(standin, spec).close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(open_once, (EMBEDDER.spec, OTHER)))

    for alias in CHUNKS:
        assert len({name for name in collections(standin) if name.startswith(alias)}) <= 1


def test_who_only_reads_makes_and_removes_nothing(standin: QdrantStandIn) -> None:
    with read_feature_store(standin.url, EMBEDDER.spec) as reader:
        with pytest.raises(FeaturesUnavailable, match="no flow with this embedding model"):
            reader.is_empty()
        assert collections(standin) == set()
        with PointFeatureStore(opened(standin)) as writer:
            writer.apply([indexed("essay", version(1), ["a"])])
        assert seen(reader, "essay") == {"a"}
    with read_feature_store(standin.url, OTHER):
        assert collections(standin) == {collection_of(alias, EMBEDDER.spec) for alias in Alias}


@pytest.mark.parametrize("lost", [tuple(Alias), (Alias.CHUNKS_CODE,)], ids=["everything", "the chunks of code"])
def test_lost_collections_are_made_anew_and_the_store_is_empty(standin: QdrantStandIn, lost: tuple[Alias, ...]) -> None:
    with (
        PointFeatureStore(opened(standin)) as store,
        closing(QdrantRemote(url=standin.url, check_compatibility=False)) as client,
    ):
        store.apply([indexed("essay", version(1), ["a"]), indexed("module", version(1), ["b"], CODE)])
        for alias in lost:
            client.delete_collection(collection_of(alias, EMBEDDER.spec))

        with pytest.raises(FeaturesUnavailable, match="made anew"):
            store.apply([indexed("poem", version(1), ["c"])])

        assert store.is_empty()
        assert collections(standin) == {collection_of(alias, EMBEDDER.spec) for alias in Alias}


def test_a_collection_of_other_vectors_is_refused_at_start(standin: QdrantStandIn) -> None:
    longer = EMBEDDER.spec.model_copy(update={"dimension": 65})
    opened(standin).close()

    with pytest.raises(FeaturesUnfit, match=r"'chunks_prose__hashing-64' has other vectors"):
        opened(standin, longer)


@pytest.mark.parametrize("told", ["1.15.5", "0.9.0-dev", "unknown"])
def test_a_server_that_is_too_old_is_refused_at_start(tmp_path: Path, told: str) -> None:
    with (
        QdrantStandIn(tmp_path, "--version", told) as server,
        pytest.raises(FeaturesUnfit, match=r"1\.16; update the server"),
    ):
        opened(server)


def test_a_key_lets_in_and_is_never_told(tmp_path: Path) -> None:
    with QdrantStandIn(tmp_path, "--key", "se/cret") as server:
        url = server.url.replace("http://", "http://:{}@")
        with open_feature_store(url.format("se%2Fcret"), EMBEDDER.spec) as store:
            assert store.is_empty()
        with pytest.raises(FeaturesRefused, match="needs the server's key") as refused:
            open_feature_store(url.format("wrong-key"), EMBEDDER.spec)
    assert "wrong-key" not in str(refused.value)


@pytest.mark.parametrize("address", ["vectors:99999", "vectors:six", "", "se/cret@vectors:6333"])
def test_a_url_that_is_no_address_is_refused_without_its_key(address: str) -> None:
    with pytest.raises(VectorsUrlUnreadable) as refused:
        open_feature_store(f"https://:{address}" if "cret" in address else f"https://{address}", EMBEDDER.spec)

    assert refused.value.__cause__ is None
    assert "cret" not in str(refused.value)


def test_documents_of_eight_mebibytes_pass_below_the_servers_limit(engine: PointEngine) -> None:
    store = PointFeatureStore(engine, PARTITIONS)
    changes = [indexed(f"book-{number}", version(1), ["a"]) for number in range(5)]
    text = "é" * (MAX_DOCUMENT_BYTES // 2)
    books = [ApplyDocument(one.record.model_copy(update={"text": text}), one.chunks) for one in changes]

    store.apply(books)

    assert store.count_records(RecordStatus.INDEXED) == len(books)
    assert store.records([books[0].record.document_id]) == {books[0].record.document_id: books[0].record}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path=BATCH, status=503, times=3),
        Fault(path=BATCH, status=429, times=3),
        Fault(path=BATCH, status=429, retry_after=1, times=1),
        Fault(path=BATCH, cut="undone", times=3),
        Fault(path=BATCH, cut="halfway", times=3),
        Fault(path="POST .*points$", cut="halfway", times=2),
    ],
    ids=lambda fault: fault.model_dump_json(exclude_defaults=True),
)
def test_what_may_pass_is_tried_again(standin: QdrantStandIn, fault: Fault) -> None:
    with PointFeatureStore(opened(standin)) as store:
        standin.fault(fault)

        store.apply([indexed("essay", version(1), ["a", "b"])])

        assert (standin.met(), stored(store, "essay")) == (fault.times, ["a", "b"])


@pytest.mark.parametrize(
    "fault",
    [Fault(status=503), Fault(status=429, retry_after=3600), Fault(latency=3), Fault(cut="halfway")],
    ids=lambda fault: fault.model_dump_json(exclude_defaults=True),
)
def test_what_does_not_pass_is_given_up(standin: QdrantStandIn, fault: Fault) -> None:
    with PointFeatureStore(opened(standin, patience=IMPATIENT)) as store:
        standin.fault(fault)
        begin = time.monotonic()

        with pytest.raises(FeaturesUnavailable):
            store.apply([indexed("essay", version(1), ["a"])])

        assert time.monotonic() - begin < 2.5
        standin.fault(Fault(times=0))
        store.apply([indexed("essay", version(1), ["a"])])
        assert seen(store, "essay") == {"a"}


def test_a_process_that_ends_waits_no_longer(standin: QdrantStandIn) -> None:
    stop = threading.Event()
    with open_feature_store(standin.url, EMBEDDER.spec, stopping=stop.is_set) as store, ThreadPoolExecutor(1) as pool:
        standin.fault(Fault(status=503))
        waiting = pool.submit(store.apply, [indexed("essay", version(1), ["a"])])
        wait_until(lambda: standin.met() > 0, 10.0, lambda: "nothing was asked")

        stop.set()

        assert isinstance(waiting.exception(timeout=2), FeaturesUnavailable)


def test_a_point_that_is_refused_is_told_from_a_server_that_is_away(standin: QdrantStandIn) -> None:
    with PointFeatureStore(opened(standin)) as store:
        standin.fault(Fault(path=BATCH, poison="wormwood"))

        with pytest.raises(PointRefused, match="refused on demand"):
            store.apply([indexed("essay", version(1), ["a", "wormwood"])])

        assert (seen(store, "essay"), standin.met()) == (set(), 1)


def test_what_was_acknowledged_survives_the_servers_kill(standin: QdrantStandIn) -> None:
    with PointFeatureStore(opened(standin)) as store:
        store.apply([indexed("essay", version(1), ["a", "b"]), deleted("gone", version(1))])
        standin.kill()

        standin.start()

        assert (seen(store, "essay"), store.count_records(RecordStatus.DELETED)) == ({"a", "b"}, 1)
        assert aliases(standin) == {str(alias): collection_of(alias, EMBEDDER.spec) for alias in Alias}


def test_a_closed_store_is_unavailable_at_once(standin: QdrantStandIn) -> None:
    store = PointFeatureStore(opened(standin))
    store.close()
    store.close()

    with pytest.raises(FeaturesUnavailable):
        store.search(asked("anything"))
