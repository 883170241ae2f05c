"""Every point engine keeps the port's promises, the one that other tests use instead of the real one included."""

from collections.abc import Iterator

import pytest

from contract.conformance.engine_contract import PointEngineContract
from fakes.feature_samples import EMBEDDER
from fakes.features import InMemoryPointEngine
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import Alias, Delete, PointEngine


class TestInMemoryPointEngine(PointEngineContract):
    @pytest.fixture
    def engine(self) -> PointEngine:
        return InMemoryPointEngine()


@pytest.fixture(scope="module")
def one_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeEngine]:
    """Open a folder once: each opening waits for the disk many times."""
    engine = EdgeEngine(tmp_path_factory.mktemp("edge"), EMBEDDER.spec)
    yield engine
    engine.close()


class TestEdgeEngine(PointEngineContract):
    @pytest.fixture
    def engine(self, one_engine: EdgeEngine) -> PointEngine:
        for alias in Alias:
            one_engine.write(alias, [Delete(())])
        return one_engine
