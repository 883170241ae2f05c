"""The whole embedded chain in one process on the real stores: documents in, events through, both snapshots out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ledger import Ledger
from benchmarks.oracle import Verdict, judge
from fakes.embedding import HashEmbedder
from fakes.flow import DEADLINE, NoLogger, eventually
from twin_cdc.relay import Relay, RelayOptions
from twin_contracts.audit import AuditReport, AuditRequest
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import DocumentEvent
from twin_contracts.queues import DEFAULT_PARTITIONS, Lane, Queue, partition_of
from twin_feature_stream.audit import Stores, audit
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.stream import FeatureStream
from twin_platform.documents.open import open_document_store
from twin_platform.features.engine import PointEngine
from twin_platform.features.open import open_point_engine
from twin_platform.features.port import FeatureHit, FeatureQuery
from twin_platform.features.store import PointFeatureStore
from twin_platform.log.open import open_event_log
from twin_platform.records.open import open_record_store
from twin_platform.records.positions import is_captured
from twin_platform.records.reemissions import ask_reemission, open_reemissions
from twin_platform.telemetry.clock import Clock, SystemClock

SWIFT = RelayOptions(position_seconds=0.05, idle_wait=0.05)
"""A test waits for the position and for a request to be seen, dozens of times."""


@dataclass
class Chain:
    """Stores in a folder, or where `url` says, and the two services that connect them while `running`."""

    folder: Path
    embedder: HashEmbedder = field(default_factory=HashEmbedder)
    registry: HandlerRegistry | None = None
    clock: Clock = field(default_factory=SystemClock)
    """The store's."""
    cdc_clock: Clock = field(default_factory=SystemClock)
    flow_clock: Clock = field(default_factory=SystemClock)
    url: Callable[[str], str] | None = None
    """Where `documents`, `records`, `log` and `features` are, if not in files of the folder."""
    waiting: Callable[[], int] | None = None
    """How many events are not acknowledged, where the log's port does not tell of those that were handed out."""
    engine: Callable[[PointEngine], PointEngine] = lambda engine: engine
    """What stands between the feature store and its engine."""
    ledger: Ledger = field(default_factory=Ledger)

    @contextmanager
    def opened(self) -> Iterator["Chain"]:
        """Open the stores."""
        with ExitStack() as stack:
            url = self.url or self._in_folder
            self.documents = stack.enter_context(open_document_store(url("documents"), self.clock))
            self.records = stack.enter_context(open_record_store(url("records")))
            self.log = stack.enter_context(open_event_log(url("log"), DEFAULT_PARTITIONS))
            engine = self.engine(open_point_engine(url("features"), self.embedder.spec))
            self.features = stack.enter_context(PointFeatureStore(engine, DEFAULT_PARTITIONS))
            yield self

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run cdc and the flow in threads."""
        with self.capturing(), self.flowing():
            yield

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Run the flow alone."""
        stream = FeatureStream(
            self.documents,
            self.records,
            self.log,
            self.features,
            self.registry or build_registry(self.embedder),
            self.flow_clock,
            NoLogger(),
            flush_seconds=0.05,
        )
        with _in_thread(stream.run):
            yield

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Run cdc alone, so that the log fills."""
        relay = Relay(self.documents, self.log, self.records, self.cdc_clock, NoLogger(), SWIFT)
        with _in_thread(relay.run):
            yield

    def put(self, document: Raw) -> None:
        """Store a document and note what was acknowledged."""
        digest = content_hash(document)
        self.ledger.begin(document.id, digest)
        self.documents.upsert(document)
        self.ledger.acknowledge(document.id, digest)

    def delete(self, document: Raw) -> None:
        """Delete a document and note it."""
        self.ledger.begin(document.id, None)
        self.documents.delete(document.id)
        self.ledger.acknowledge(document.id, None)

    def publish(self, event: DocumentEvent, lane: Lane = Lane.LIVE) -> None:
        """Put an event into its document's queue, whatever cdc does."""
        self.log.publish(Queue(partition_of(event.document_id, self.log.partitions), lane), event).result(DEADLINE)

    def resync(self) -> None:
        """Ask for everything again."""
        ask_reemission(self.records, self.clock, "test")

    def audit(self) -> AuditReport:
        """Audit the stores, whatever runs meanwhile."""
        stores = Stores(self.documents, self.records, self.log, self.features, self.flow_clock)
        registry = self.registry or build_registry(self.embedder)
        report = audit(stores, registry, AuditRequest.new("test", self.flow_clock.now()), threading.Event())
        assert report is not None
        return report

    def is_captured(self) -> bool:
        """Return whether cdc has published everything, and nothing is to be published again."""
        return is_captured(self.documents, self.records) and not open_reemissions(self.records)

    def wait_until_quiet(self) -> None:
        """Wait until everything committed has arrived."""
        eventually(self._is_quiet, deadline=30)

    def verdict(self) -> Verdict:
        """Judge by the oracle."""
        return judge(self.ledger, self.documents, self.features)

    def search(self, text: str, limit: int = 5) -> list[FeatureHit]:
        """Search as a reader does."""
        return self.features.search(FeatureQuery(text, self.embedder.embed_query(text), limit))

    def texts(self, document: Raw) -> list[str]:
        """What is stored of the document's chunks, in order."""
        chunks = sorted(self.features.chunks(document.id), key=lambda chunk: chunk.payload.position)
        return [chunk.payload.text for chunk in chunks]

    def _in_folder(self, store: str) -> str:
        return f"edge://{self.folder}/vectors" if store == "features" else f"sqlite://{self.folder}/{store}.db"

    def _is_quiet(self) -> bool:
        waiting = self.waiting or self.log.waiting
        return self.is_captured() and waiting() == 0


@contextmanager
def _in_thread(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive(), "a service did not stop"
