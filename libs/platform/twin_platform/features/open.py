"""Open the feature store that a URL names."""

from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.errors import UnknownScheme
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import PointEngine
from twin_platform.features.port import FeatureStore
from twin_platform.features.store import PointFeatureStore
from twin_platform.urls import path_of, scheme_of


def open_feature_store(url: str, spec: EmbeddingSpec, partitions: int = DEFAULT_PARTITIONS) -> FeatureStore:
    """Return the feature store of `url` for vectors of `spec`; a new folder is created.

    Args:
        partitions: of the event log; says which records a partition's purge is about.

    Raises:
        UnknownScheme: no adapter has the URL's scheme.
        FeaturesUnreadable: the folder holds something that the engine cannot open.
        FeaturesUnavailable: another process has it open, or the disk is full.
    """
    return PointFeatureStore(open_point_engine(url, spec), partitions)


def open_point_engine(url: str, spec: EmbeddingSpec) -> PointEngine:
    """Return what the feature store of `url` stands on; raises as `open_feature_store`."""
    match scheme_of(url):
        case "edge":
            return EdgeEngine(path_of(url), spec)
        case _:
            raise UnknownScheme(port="feature store", url=url, known=("edge",))
