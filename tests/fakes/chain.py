"""The whole embedded chain in one process on the real stores: documents in, events through, both snapshots out."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.oracle import Verdict, judge
from fakes.embedding import HashEmbedder
from fakes.flow import NoLogger, eventually
from twin_cdc.position import is_captured
from twin_cdc.relay import Relay
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import Raw
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.stream import FeatureStream
from twin_platform.documents.open import open_document_store
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import FeatureHit, FeatureQuery
from twin_platform.log.open import open_event_log
from twin_platform.records.open import open_record_store
from twin_platform.records.reemissions import ask_reemission, open_reemissions
from twin_platform.telemetry.clock import SystemClock


@dataclass
class Chain:
    """Stores in a folder, and the two services that connect them while `running`."""

    folder: Path
    embedder: HashEmbedder = field(default_factory=HashEmbedder)
    registry: HandlerRegistry | None = None
    ledger: dict[DocumentId, Digest | None] = field(default_factory=dict)

    @contextmanager
    def opened(self) -> Iterator["Chain"]:
        """Open the stores."""
        self.clock = SystemClock()
        with ExitStack() as stack:
            self.documents = stack.enter_context(
                open_document_store(f"sqlite://{self.folder}/documents.db", self.clock)
            )
            self.records = stack.enter_context(open_record_store(f"sqlite://{self.folder}/records.db"))
            self.log = stack.enter_context(open_event_log(f"sqlite://{self.folder}/log.db", DEFAULT_PARTITIONS))
            self.features = stack.enter_context(
                open_feature_store(f"edge://{self.folder}/vectors", self.embedder.spec, DEFAULT_PARTITIONS)
            )
            yield self

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run cdc and the flow in threads."""
        stop = threading.Event()
        relay = Relay(self.documents, self.log, self.records, self.clock, NoLogger())
        stream = FeatureStream(
            self.documents,
            self.records,
            self.log,
            self.features,
            self.registry or build_registry(self.embedder),
            self.clock,
            NoLogger(),
            flush_seconds=0.05,
        )
        threads = [threading.Thread(target=service.run, args=(stop,)) for service in (relay, stream)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert not any(thread.is_alive() for thread in threads), "a service did not stop"

    def put(self, document: Raw) -> None:
        """Store a document and note what was acknowledged."""
        self.ledger[document.id] = self.documents.upsert(document).content_hash

    def delete(self, document: Raw) -> None:
        """Delete a document and note it."""
        self.documents.delete(document.id)
        self.ledger[document.id] = None

    def resync(self) -> None:
        """Ask for everything again."""
        ask_reemission(self.records, self.clock, "test")

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

    def _is_quiet(self) -> bool:
        return (
            is_captured(self.documents, self.records) and not open_reemissions(self.records) and self.log.waiting() == 0
        )
