"""A feature stream over in-memory stores, run for as long as a test has events for it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.log import InMemoryEventLog
from fakes.metrics import RecordingMetrics
from fakes.mortal import Life
from fakes.records import InMemoryRecordStore
from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawPost, Source, content_hash, document_id_of
from twin_contracts.events import Cause, DocumentChanged, DocumentDeleted, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.status import FlowStatus
from twin_feature_stream.stream import FeatureStream
from twin_platform.features.port import FeatureStore
from twin_platform.log.port import Event
from twin_platform.telemetry.clock import SystemClock

DEADLINE = 20.0
AUTHOR = AuthorRef.of("Ada Sample")


class NoLogger:
    def event(self, name: str, **fields: str | float | None) -> None:
        pass


def post(key: str, text: str) -> RawPost:
    return RawPost(id=document_id_of(key), author=AUTHOR, source=Source(platform="test"), text=text)


def article(key: str, text: str, title: str = "A title") -> RawArticle:
    return RawArticle(id=document_id_of(key), author=AUTHOR, source=Source(platform="test"), title=title, text=text)


def version(increment: int) -> Version:
    return Version(seconds=1_700_000_000, increment=increment)


def changed(document: Raw, increment: int, cause: Cause = Cause.LIVE) -> DocumentChanged:
    return DocumentChanged(
        document_id=document.id,
        version=version(increment),
        cause=cause,
        content_hash=content_hash(document),
        size=len(document.text),
        after=document,
    )


def deleted(document: Raw, increment: int) -> DocumentDeleted:
    return DocumentDeleted(document_id=document.id, version=version(increment), cause=Cause.LIVE)


@dataclass
class Stream:
    """Everything around one flow; `run` processes what was published and stops it."""

    features: FeatureStore = field(default_factory=InMemoryFeatureStore)
    embedder: HashEmbedder = field(default_factory=HashEmbedder)
    log: InMemoryEventLog = field(default_factory=InMemoryEventLog)
    registry: HandlerRegistry | None = None
    metrics: RecordingMetrics = field(default_factory=RecordingMetrics)
    suspects_wait_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.documents = InMemoryDocumentStore(SettableClock())
        self.records = InMemoryRecordStore()
        self.log.declare()

    def publish(self, events: Sequence[Event], lane: Lane = Lane.LIVE, partition: int | None = None) -> None:
        for event in events:
            at = partition if partition is not None else partition_of(getattr(event, "document_id", ""), 8)
            self.log.publish(Queue(at, lane), event).result()

    def service(self, life: Life | None = None, registry: HandlerRegistry | None = None) -> FeatureStream:
        """A process of its own over the stores; one with a life is cut off from them at its end."""
        see = (life or Life()).of
        return FeatureStream(
            see(self.documents),
            see(self.records),
            see(self.log),
            see(self.features),
            registry or self.registry or build_registry(self.embedder),
            SystemClock(),
            NoLogger(),
            flush_seconds=0.0,
            suspects_wait_seconds=self.suspects_wait_seconds,
            status=FlowStatus(metrics=self.metrics),
        )

    @contextmanager
    def running(self) -> Iterator[FeatureStream]:
        service = self.service()
        stop = threading.Event()
        failures = self.failures = list[BaseException]()

        def run() -> None:
            try:
                service.run(stop)
            except BaseException as error:  # noqa: BLE001 - told to the test
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield service
        finally:
            stop.set()
            thread.join(DEADLINE)
        assert not thread.is_alive(), "the flow did not stop"
        if failures:
            raise failures[0]

    def run_to_death(self, life: Life, registry: HandlerRegistry | None = None) -> None:
        """Run a process that dies; one that has nothing left to do dies, too."""
        service = self.service(life, registry)
        thread = threading.Thread(target=service.run, args=(life.is_over,))
        thread.start()
        eventually(lambda: self.log.waiting() == 0 or life.is_over.is_set())
        life.is_over.set()
        thread.join(DEADLINE)
        assert not thread.is_alive(), "the flow did not die"

    def run(self) -> None:
        """Process everything that was published, then stop."""
        with self.running():
            eventually(lambda: self.log.waiting() == 0 or bool(self.failures))

    def texts(self, document: Raw) -> list[str]:
        """What is stored of the document's chunks, in order."""
        chunks = sorted(self.features.chunks(document.id), key=lambda chunk: chunk.payload.position)
        return [chunk.payload.text for chunk in chunks]


def eventually(holds: Callable[[], bool], deadline: float = DEADLINE) -> None:
    """Poll until `holds()` is true."""
    end = time.monotonic() + deadline
    waiting = threading.Event()
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        waiting.wait(0.005)
