"""The vector store's contracts on a Qdrant server; `make test-qdrant`.

`QDRANT_TEST_URL` names a real one, whose collections are emptied; without it a stand-in is started.
"""

import os
from collections.abc import Iterator

import pytest

from contract.conformance.engine_contract import PointEngineContract
from contract.conformance.features_contract import PARTITIONS, FeatureStoreContract
from fakes.feature_samples import EMBEDDER
from standins.qdrant_process import QdrantStandIn
from twin_platform.features.engine import Alias, Delete, PointEngine
from twin_platform.features.port import FeatureStore
from twin_platform.features.qdrant import QdrantEngine
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
