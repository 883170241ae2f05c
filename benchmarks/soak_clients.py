"""Clients of a soaked system beside the load: `twin import`, which may be killed, and a probe that measures lag."""

import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from benchmarks.generated import post
from benchmarks.ledger import Ledger
from benchmarks.load import AUTHOR, Load
from benchmarks.system import RunningSystem
from twin_cli.client import Client
from twin_cli.inputs import read_inputs
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import DocumentType, content_hash, document_id_of_client
from twin_contracts.http import DocumentInput, DocumentState
from twin_platform.errors import PlatformError
from twin_rag_api.raw import raw_document

FILES = 25
FILE_BYTES = 1_500
PAUSE_SECONDS = 2.0
PROBE_SECONDS = 0.5
WAIT_SECONDS = 1.0
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


@dataclass
class Probe:
    """Writes one small document after the other and waits until it is searchable."""

    locate: Callable[[], tuple[str, str]]
    ledger: Ledger
    documents: int = 50
    _committed: float | None = None
    _last: float = 0.0
    _edition: int = 0

    def run(self, stop: threading.Event) -> None:
        """Probe until stopped."""
        client = Client(self.locate)
        while not stop.is_set():
            try:
                self._probe(client, stop)
            except PlatformError:  # nobody answered for a minute: the same again
                stop.wait(WAIT_SECONDS)
        client.close()

    @property
    def lag(self) -> float:
        """Return the age of the write that is not searchable yet, or how long the last one took."""
        return self._last if self._committed is None else max(self._last, time.monotonic() - self._committed)

    def _probe(self, client: Client, stop: threading.Event) -> None:
        self._edition += 1
        document_id = document_id_of_client(f"probe-{self._edition % self.documents}")
        text = f"Edition {self._edition} of what a probe writes, to see how long it takes until it is found."
        given = DocumentInput(type=DocumentType.POST, text=text, author=AUTHOR.name)
        held = content_hash(raw_document(document_id, given, AUTHOR))
        self.ledger.begin(document_id, held)
        client.put(document_id, given)
        self.ledger.acknowledge(document_id, held)
        self._committed = time.monotonic()
        while not stop.is_set():
            status = client.document(document_id, wait=WAIT_SECONDS)
            if status.status is DocumentState.INDEXED and status.content_hash == held:
                break
        self._last, self._committed = time.monotonic() - self._committed, None
        stop.wait(PROBE_SECONDS)
