"""Clients of a soaked system beside the load: `twin import`, which may be killed, and a probe that measures lag."""

import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import psutil

from benchmarks.generated import post
from benchmarks.ledger import Ledger
from benchmarks.load import AUTHOR, Load
from benchmarks.system import RunningSystem
from twin_cli.client import Client
from twin_cli.inputs import read_inputs
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import DocumentType, RawPost, Source, content_hash, document_id_of_client
from twin_contracts.http import DocumentInput, DocumentState
from twin_contracts.records import RecordStatus
from twin_platform.documents.port import DocumentStore
from twin_platform.errors import PlatformError
from twin_platform.features.port import FeatureStore
from twin_rag_api.raw import raw_document

FILES = 25
FILE_BYTES = 1_500
PAUSE_SECONDS = 2.0
PROBE_SECONDS = 0.5
WAIT_SECONDS = 1.0
LOOK_SECONDS = 0.02
IMPORT_SECONDS = 300.0


class Work:
    """The load and other clients, each in a thread of its own, from entering to leaving."""

    def __init__(self, load: Load, *others: Callable[[threading.Event], None]) -> None:
        """Take what is to run; each of the others ends when the event that it is given is set."""
        self.load = load
        self._others = others
        self._running: list[Future[None]] = []

    def check(self) -> None:
        """Raise what has ended one of them before its time."""
        for one in self._running:
            if one.done():
                one.result()

    def __enter__(self) -> Self:
        """Begin."""
        self._threads = ThreadPoolExecutor()
        self._running = [self._threads.submit(self.load.run)]
        self._running += [self._threads.submit(work, self.load.stop) for work in self._others]
        return self

    def __exit__(self, *exception: object) -> None:
        """End all of them, and raise what has ended one of them before."""
        self.load.stop.set()
        self._threads.shutdown()
        self.check()


@dataclass
class Imports:
    """Imports the same files over and over, each time with other texts.

    Of an import that was killed nobody knows what it has stored; one that ended well has stored everything.
    """

    system: RunningSystem
    ledger: Ledger
    finished: int = 0
    _edition: int = 0
    _running: subprocess.Popen[str] | None = None

    def run(self, stop: threading.Event) -> None:
        """Import until stopped, and at last once undisturbed."""
        while not stop.is_set():
            self._round()
            stop.wait(PAUSE_SECONDS)
        if not self._round():
            message = "the last import, which nobody disturbed, did not end well"
            raise RuntimeError(message)

    def process(self) -> psutil.Process | None:
        """Return the import that runs, if one does."""
        running = self._running
        if running is not None and running.poll() is None:
            with suppress(psutil.NoSuchProcess):
                return psutil.Process(running.pid)
        return None

    def _round(self) -> bool:
        self._edition += 1
        folder = self.system.data.with_name("imports")
        held = self._write(folder)
        for document_id, digest in held.items():
            self.ledger.begin(document_id, digest)
        with self.system.start_twin("import", str(folder), "--author", AUTHOR.name) as self._running:
            out, err = self._running.communicate(timeout=IMPORT_SECONDS)
        if self._running.returncode > 0:
            message = f"twin import failed: {out}{err}"
            raise RuntimeError(message)
        if self._running.returncode == 0:
            self.finished += 1
            for document_id, digest in held.items():
                self.ledger.acknowledge(document_id, digest)
        return self._running.returncode == 0

    def _write(self, folder: Path) -> dict[DocumentId, Digest]:
        folder.mkdir(exist_ok=True)
        for number in range(FILES):
            text = post(number, FILE_BYTES, self._edition).text
            (folder / f"note-{number}.md").write_text(f"# Note {number}\n\n{text}\n", "utf-8")
        return {
            item.document_id: content_hash(raw_document(item.document_id, item.document, AUTHOR))
            for item in read_inputs([folder], AUTHOR.name)
            if item.document_id is not None and item.document is not None
        }


class Probed(Protocol):
    """What a probe writes to and looks into; both calls raise `PlatformError` where nobody answers."""

    def write(self, number: int, text: str) -> tuple[DocumentId, Digest]:
        """Write a small document, note it in the ledger, and return its id and content hash."""

    def is_searchable(self, document_id: DocumentId, held: Digest) -> bool:
        """Return whether a search would find that content by now; may wait for it a little."""


@dataclass
class Probe:
    """Writes one small document after the other and waits until it is searchable."""

    probed: Probed
    documents: int = 50
    _committed: float | None = None
    _last: float = 0.0
    _edition: int = 0

    def run(self, stop: threading.Event) -> None:
        """Probe until stopped."""
        while not stop.is_set():
            try:
                self._probe(stop)
            except PlatformError:  # nobody answered for a minute: the same again
                stop.wait(WAIT_SECONDS)

    @property
    def lag(self) -> float:
        """Return the age of the write that is not searchable yet, or how long the last one took."""
        return self._last if self._committed is None else max(self._last, time.monotonic() - self._committed)

    def _probe(self, stop: threading.Event) -> None:
        self._edition += 1
        text = f"Edition {self._edition} of what a probe writes, to see how long it takes until it is found."
        document_id, held = self.probed.write(self._edition % self.documents, text)
        self._committed = time.monotonic()
        while not stop.is_set() and not self.probed.is_searchable(document_id, held):
            pass
        self._last, self._committed = time.monotonic() - self._committed, None
        stop.wait(PROBE_SECONDS)


@dataclass
class ProbedApi:
    """A running system, by its HTTP API."""

    client: Client
    ledger: Ledger

    def write(self, number: int, text: str) -> tuple[DocumentId, Digest]:
        """Write a small document."""
        document_id = document_id_of_client(f"probe-{number}")
        given = DocumentInput(type=DocumentType.POST, text=text, author=AUTHOR.name)
        held = content_hash(raw_document(document_id, given, AUTHOR))
        self.ledger.begin(document_id, held)
        self.client.put(document_id, given)
        self.ledger.acknowledge(document_id, held)
        return document_id, held

    def is_searchable(self, document_id: DocumentId, held: Digest) -> bool:
        """Ask for the document's status, and wait for it a second."""
        status = self.client.document(document_id, wait=WAIT_SECONDS)
        return status.status is DocumentState.INDEXED and status.content_hash == held


@dataclass
class ProbedStores:
    """The two ends of services that run: the document store, and the snapshots."""

    documents: DocumentStore
    features: FeatureStore
    ledger: Ledger

    def write(self, number: int, text: str) -> tuple[DocumentId, Digest]:
        """Write a small document."""
        document_id = document_id_of_client(f"probe-{number}")
        document = RawPost(id=document_id, author=AUTHOR, source=Source(platform="probe"), text=text)
        held = content_hash(document)
        self.ledger.begin(document_id, held)
        self.documents.upsert(document)
        self.ledger.acknowledge(document_id, held)
        return document_id, held

    def is_searchable(self, document_id: DocumentId, held: Digest) -> bool:
        """Look at the record in force."""
        time.sleep(LOOK_SECONDS)
        record = self.features.records([document_id], with_text=False).get(document_id)
        return record is not None and record.status is RecordStatus.INDEXED and record.content_hash == held
