"""Every feature store keeps the port's promises; what only a folder can show stands below."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.conformance.features_contract import PARTITIONS, FeatureStoreContract
from fakes.feature_samples import EMBEDDER
from fakes.features import InMemoryFeatureStore
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import Alias, Delete
from twin_platform.features.port import FeatureStore
from twin_platform.features.store import PointFeatureStore


class TestInMemoryFeatureStore(FeatureStoreContract):
    @pytest.fixture
    def store(self) -> Iterator[FeatureStore]:
        with InMemoryFeatureStore(PARTITIONS) as store:
            yield store


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with empty collections: copying it is faster than creating their indexes."""
    folder = tmp_path_factory.mktemp("edge") / "features"
    EdgeEngine(folder, EMBEDDER.spec).close()
    return folder


@pytest.fixture
def folder(empty_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_folder, tmp_path / "features"))


@pytest.fixture(scope="module")
def one_engine(empty_folder: Path) -> Iterator[EdgeEngine]:
    """Open a folder once: each opening waits for the disk many times."""
    engine = EdgeEngine(Path(shutil.copytree(empty_folder, empty_folder.with_name("reused"))), EMBEDDER.spec)
    yield engine
    engine.close()


class TestEdgeFeatureStore(FeatureStoreContract):
    @pytest.fixture
    def store(self, one_engine: EdgeEngine) -> FeatureStore:
        for alias in Alias:
            one_engine.write(alias, [Delete(())])
        return PointFeatureStore(one_engine, PARTITIONS)
