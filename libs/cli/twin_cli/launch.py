"""The embedded system: every service as a thread of this process over one data folder."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from twin_cdc import metrics as cdc
from twin_cdc.relay import Relay
from twin_cli.data_folder import DataFolder
from twin_cli.errors import AddressUnusable, CommandError, DocumentsMissing, PortInUse
from twin_cli.port_holder import holder_of
from twin_cli.settings import Settings
from twin_cli.supervise import Service, Supervisor
from twin_contracts.documents import AuthorRef
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.http import ComponentStatus
from twin_crawler import bootstrap as crawler
from twin_crawler import metrics as crawler_metrics
from twin_crawler.service import CrawlerService
from twin_feature_stream import metrics as flow
from twin_feature_stream.audit import Stores as Compared
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.housekeeping import Housekeeper
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.status import FlowStatus
from twin_feature_stream.stream import FeatureStream
from twin_platform.documents.open import open_document_store
from twin_platform.documents.port import DocumentStore
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.embedding.port import Embedder
from twin_platform.features.errors import FeaturesUnreadable
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import FeatureStore
from twin_platform.log.open import open_event_log
from twin_platform.log.port import EventLog
from twin_platform.reading.open import open_reader
from twin_platform.reading.port import Reader
from twin_platform.records.authors import owner_of
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import is_captured
from twin_platform.serving import CannotListen, HttpService, listening
from twin_platform.telemetry.clock import Clock, SystemClock
from twin_platform.telemetry.health import component_of
from twin_platform.telemetry.logs import Logger
from twin_platform.telemetry.metrics import Exposed
from twin_platform.telemetry.prometheus import PrometheusMetrics
from twin_rag_api import metrics as api
from twin_rag_api.adapters.open_model import open_model
from twin_rag_api.bootstrap import Parts, build_api, end_streams
from twin_rag_api.ports import LanguageModel

_Running: TypeAlias = Relay | FeatureStream | CrawlerService | Housekeeper
_METRICS = (*api.METRICS, *cdc.METRICS, *crawler_metrics.METRICS, *flow.METRICS)
START_SECONDS = 30.0
_CRAWLER = "twin-up"
"""The one crawler of a data folder: what it had claimed when it was killed it takes up at once."""


@dataclass(frozen=True)
class Stores:
    """Everything that is opened once and shared by the services."""

    documents: DocumentStore
    records: RecordStore
    log: EventLog
    features: FeatureStore
    embedder: Embedder
    reader: Reader
    clock: Clock
    metrics: Exposed


@contextmanager
def running_system(
    folder: DataFolder, settings: Settings, port: int, logger: Logger, say: Callable[[str], None]
) -> Iterator[str]:
    """Run every service over a folder that this process owns; yields the API's URL and stops cleanly afterwards.

    Raises:
        PortInUse: before anything was started.
        WeightsUnavailable: the embedding model could not be had.
        ModelNotChosen: the language model server has several models and the settings name none.
    """
    with ExitStack() as opened:
        bound = _listen(settings.rag_api_host, port, opened)
        stores = _open(folder, settings, opened, logger, say)
        supervisor = Supervisor(logger, stores.clock)
        owner = partial(owner_of, stores.records, otherwise=AuthorRef.of(settings.twin_owner))
        sources = crawler.Stores(stores.documents, stores.records, stores.clock, stores.metrics)
        crawling = opened.enter_context(
            crawler.open_crawler(sources, owner, settings.crawler_allow_hosts, _CRAWLER, logger, supervisor.stop)
        )
        relay = Relay(stores.documents, stores.log, stores.records, stores.clock, logger, metrics=stores.metrics)
        registry = build_registry(stores.embedder)
        stream = _feature_stream(stores, registry, logger)
        compared = Compared(stores.documents, stores.records, stores.log, stores.features, stores.clock)
        services: dict[str, _Running] = {"cdc": relay, "feature-stream": stream, "crawler": crawling}
        services["housekeeper"] = Housekeeper(compared, registry, logger)
        opened.callback(_shut_down, supervisor, logger)  # before the first start: an interrupt may come between two
        for name, service in services.items():
            supervisor.start(Service(name, service.run, partial(_component, name, service)))
        model = open_model(settings.language_model, say)
        parts = _parts(stores, stream.status, supervisor, owner, model)
        opened.enter_context(_serving(parts, folder.key or "", bound))
        url = _url(settings.rag_api_host, bound.getsockname()[1])
        folder.announce(url)
        yield url


def _feature_stream(stores: Stores, registry: HandlerRegistry, logger: Logger) -> FeatureStream:
    return FeatureStream(
        stores.documents,
        stores.records,
        stores.log,
        stores.features,
        registry,
        stores.clock,
        logger,
        status=FlowStatus(metrics=stores.metrics),
    )


def _parts(
    stores: Stores,
    flow: FlowStatus,
    supervisor: Supervisor,
    owner: Callable[[], AuthorRef],
    model: LanguageModel | None,
) -> Parts:
    return Parts(
        documents=stores.documents,
        records=stores.records,
        features=stores.features,
        embedder=stores.embedder,
        reader=stores.reader,
        log=stores.log,
        clock=stores.clock,
        default_author=owner,
        components=supervisor.components,
        listen=stores.features.listen,
        captured=lambda: is_captured(stores.documents, stores.records),
        seconds_to_searchable=lambda: flow.seconds_to_searchable,
        chunks_embedded=lambda: flow.chunks_embedded,
        model=model,
        metrics=stores.metrics,
    )


def _open(
    folder: DataFolder, settings: Settings, opened: ExitStack, logger: Logger, say: Callable[[str], None]
) -> Stores:
    clock = SystemClock()
    path = folder.path
    _refuse_lost_documents(path, say)
    models = EmbeddingSettings.of(settings)
    embedder = open_embedder(models, say)
    reader = open_reader(models, say)
    return Stores(
        documents=opened.enter_context(open_document_store(f"sqlite://{path}/documents.db", clock)),
        records=opened.enter_context(open_record_store(f"sqlite://{path}/records.db")),
        log=opened.enter_context(open_event_log(f"sqlite://{path}/log.db", settings.log_partitions)),
        features=opened.enter_context(_open_features(folder, embedder.spec, settings.log_partitions, logger, say)),
        embedder=embedder,
        reader=reader,
        clock=clock,
        metrics=PrometheusMetrics(_METRICS, logger),
    )


def _refuse_lost_documents(folder: Path, say: Callable[[str], None]) -> None:
    """Refuse a folder whose documents are gone; say so where it is only the records.

    A new folder's documents are made before its records, so that a kill in between does not look like a loss.
    """
    documents, records = folder / "documents.db", folder / "records.db"
    if _has_content(records) and not _has_content(documents):
        raise DocumentsMissing(str(documents), "is empty" if documents.exists() else "is missing")
    if _has_content(documents) and not _has_content(records) and (folder / "vectors").exists():
        say(f"{str(records)!r} is missing: keys, the owner, merged authors and crawls begin anew; documents are kept")


def _has_content(database: Path) -> bool:
    return database.exists() and (not database.is_file() or database.stat().st_size > 0)


def _open_features(
    folder: DataFolder, spec: EmbeddingSpec, partitions: int, logger: Logger, say: Callable[[str], None]
) -> FeatureStore:
    """Open the vectors; what this program cannot read is set aside, and the flow asks for everything again."""
    vectors = folder.path / "vectors"
    url = f"edge://{vectors}"
    try:
        return open_feature_store(url, spec, partitions)
    except FeaturesUnreadable as error:
        aside = folder.path / "vectors.aside"
        shutil.rmtree(aside, ignore_errors=True)  # at most one is kept, or what was deleted would live on in them
        vectors.rename(aside)
        logger.event("vectors_set_aside", why=error.why, folder=str(aside))
        say(f"the vectors could not be read ({error.why}); set aside in {aside}, rebuilding them from the documents")
        return open_feature_store(url, spec, partitions)


def _listen(host: str, port: int, opened: ExitStack) -> socket.socket:
    try:
        return opened.enter_context(listening(host, port))
    except CannotListen as error:
        if error.is_taken:
            raise PortInUse(host, port, error.why, holder_of(port)) from error
        raise AddressUnusable(host, port, error.why) from error


def _url(host: str, port: int) -> str:
    """Return where this machine reaches an API that listens on `host`, which may stand for every address."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not listened on
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


@contextmanager
def _serving(parts: Parts, key: str, bound: socket.socket) -> Iterator[None]:
    app = build_api(parts, key)
    server, stop = HttpService(app, bound, partial(end_streams, app)), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,), name="rag-api", daemon=True)
    thread.start()
    waiting = threading.Event()
    began = parts.clock.monotonic()
    while not server.started:
        if not thread.is_alive() or parts.clock.monotonic() - began > START_SECONDS:
            message = "the HTTP API did not start; the lines above say why"
            raise CommandError(message)
        waiting.wait(0.01)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _component(name: str, service: _Running) -> ComponentStatus:
    return component_of(name, service.status)


def _shut_down(supervisor: Supervisor, logger: Logger) -> None:
    for name in supervisor.shut_down():
        logger.event("service_did_not_stop", service=name)
