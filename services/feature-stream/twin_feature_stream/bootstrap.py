"""Composition root: the one place that names the handlers, each in its place in the table, and opens the stores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.audit import Stores
from twin_feature_stream.handlers.chunk_code import ChunkSyntaxTree
from twin_feature_stream.handlers.chunk_markdown import ChunkMarkdown
from twin_feature_stream.handlers.chunk_prose import ChunkProse
from twin_feature_stream.handlers.clean_article import CleanArticle
from twin_feature_stream.handlers.clean_code import CleanCode
from twin_feature_stream.handlers.clean_post import CleanPost
from twin_feature_stream.handlers.embed_chunks import EmbedChunks
from twin_feature_stream.housekeeping import Housekeeper
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.settings import Settings
from twin_feature_stream.status import FlowStatus
from twin_feature_stream.stream import FeatureStream
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.port import Embedder
from twin_platform.features.open import open_feature_store
from twin_platform.log.open import open_event_log
from twin_platform.records.open import open_record_store
from twin_platform.reports import Reporter
from twin_platform.service import Service
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import Logger
from twin_platform.telemetry.metrics import Metrics, NoMetrics

SPECIAL_TOKENS = 2
"""What a model puts around every text, counted in its limit."""


def build_registry(embedder: Embedder) -> HandlerRegistry:
    """Return the complete strategy table; a missing pair stops the service at start."""
    embed = EmbedChunks(embedder)
    room = embedder.spec.max_tokens - SPECIAL_TOKENS
    prose = ChunkProse(embedder.tokenizer, max_tokens=min(128, room))
    markdown = ChunkMarkdown(embedder.tokenizer, max_tokens=min(220, room))
    code = ChunkSyntaxTree(embedder.tokenizer, max_tokens=min(220, room))
    return HandlerRegistry(
        {
            (DocumentType.POST, Stage.CLEAN): CleanPost(),
            (DocumentType.POST, Stage.CHUNK): prose,
            (DocumentType.POST, Stage.EMBED): embed,
            (DocumentType.ARTICLE, Stage.CLEAN): CleanArticle(),
            (DocumentType.ARTICLE, Stage.CHUNK): markdown,
            (DocumentType.ARTICLE, Stage.EMBED): embed,
            (DocumentType.CODE, Stage.CLEAN): CleanCode(),
            (DocumentType.CODE, Stage.CHUNK): code,
            (DocumentType.CODE, Stage.EMBED): embed,
        }
    )


@contextmanager
def open_stream(
    settings: Settings,
    embedder: Embedder,
    logger: Logger,
    registry: HandlerRegistry | None = None,
    metrics: Metrics | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Sequence[Service]]:
    """Yield one flow's services, ready to run; their stores are closed afterwards.

    Args:
        registry: other handlers than `build_registry`'s, for a test that breaks one.
        stopping: says that the process is to end, and no store is to be waited for.
    """
    clock = SystemClock()
    registry = registry or build_registry(embedder)
    with (
        open_document_store(settings.documents_url, clock) as documents,
        open_record_store(settings.records_url) as records,
        open_event_log(settings.log_url, settings.log_partitions) as log,
        open_feature_store(settings.features_url, embedder.spec, settings.log_partitions, stopping) as features,
    ):
        stream = FeatureStream(
            documents=documents,
            records=records,
            log=log,
            features=features,
            registry=registry,
            clock=clock,
            logger=logger,
            flow_index=settings.flow_index,
            flow_count=settings.flow_count,
            status=FlowStatus(metrics=metrics or NoMetrics(), clock=clock),
        )
        stores = Stores(documents, records, log, features, clock, settings.flow_count)
        housekeeper = Housekeeper(stores, registry, logger)
        name = "feature-stream" if settings.flow_count == 1 else f"feature-stream {settings.flow_index}"
        services: dict[str, FeatureStream | Housekeeper] = {name: stream}
        if settings.flow_index == 0:
            services["housekeeper"] = housekeeper
        yield *services.values(), Reporter(records, clock, services, stream.status, features.listen())
