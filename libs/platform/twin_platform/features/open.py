"""Open the feature store that a URL names."""

from collections.abc import Callable
from dataclasses import replace

from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.errors import UnknownScheme
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import PointEngine
from twin_platform.features.port import FeatureStore
from twin_platform.features.store import PointFeatureStore
from twin_platform.urls import path_of, scheme_of

SERVER_SCHEMES = ("http", "https")


def open_feature_store(
    url: str,
    spec: EmbeddingSpec,
    partitions: int = DEFAULT_PARTITIONS,
    stopping: Callable[[], bool] = lambda: False,
) -> FeatureStore:
    """Return the feature store of `url` for vectors of `spec`; what is missing is made, other specs' chunks go.

    Args:
        url: `edge://folder`, `http://host:6333` or `https://:api-key@host:6333`.
        partitions: of the event log; says which records a partition's purge is about.
        stopping: a server that does not answer is waited for up to a minute, or until this says to stop.

    Raises:
        UnknownScheme, VectorsUrlUnreadable: no adapter has the URL's scheme, or it is no address.
        FeaturesUnreadable: the folder holds something that the engine cannot open.
        FeaturesUnfit, FeaturesRefused: the server will not do, or does not let us in.
        FeaturesUnavailable: another process has the folder open, its disk is full; the server does not answer.
    """
    return PointFeatureStore(open_point_engine(url, spec, stopping), partitions)


def read_feature_store(url: str, spec: EmbeddingSpec) -> FeatureStore:
    """Return the feature store of `url` for who only reads: on a server nothing is made and nothing removed.

    A folder has one owner, and is opened as always. Raises as `open_feature_store`.
    """
    if scheme_of(url) not in SERVER_SCHEMES:
        return open_feature_store(url, spec)
    from twin_platform.features.qdrant import QdrantReader  # noqa: PLC0415 - as below

    return PointFeatureStore(QdrantReader(url, spec))


def open_point_engine(url: str, spec: EmbeddingSpec, stopping: Callable[[], bool] = lambda: False) -> PointEngine:
    """Return what the feature store of `url` stands on; raises as `open_feature_store`."""
    scheme = scheme_of(url)
    if scheme in SERVER_SCHEMES:
        from twin_platform.features.qdrant import WRITING, QdrantEngine  # noqa: PLC0415 - two seconds and 80 MB

        return QdrantEngine(url, spec, replace(WRITING, stopping=stopping))
    if scheme != "edge":
        raise UnknownScheme(port="feature store", url=url, known=("edge", *SERVER_SCHEMES))
    return EdgeEngine(path_of(url), spec)
