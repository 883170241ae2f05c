"""The services as processes of their own over one installation's stores: started, held still, killed for real."""

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from benchmarks.ledger import Ledger
from benchmarks.oracle import Verdict, judge, leftovers
from benchmarks.spawn import POLL_SECONDS, Spawner, wait_until
from benchmarks.tap import SqliteTap, Tap
from twin_contracts.audit import AuditReport
from twin_contracts.base import DocumentId
from twin_contracts.embedding import EmbeddingModel
from twin_contracts.queues import Lane
from twin_platform.documents.open import open_document_store
from twin_platform.documents.port import DocumentStore
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.errors import TransientError
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import FeatureStore
from twin_platform.log.open import open_event_log
from twin_platform.log.port import EventLog
from twin_platform.records.audits import ask_audit, audit_report
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import is_captured
from twin_platform.records.reemissions import open_reemissions
from twin_platform.telemetry.clock import SystemClock

START_SECONDS = 60.0
STOP_SECONDS = 10.0
ROOT = Path(__file__).parents[1]


@dataclass
class Process:
    """One program, started as often as it takes; its log is of all its starts."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    spawner: Spawner
    starts: int = 0
    _running: subprocess.Popen[bytes] | None = None
    _begin: int = 0

    def start(self) -> Self:
        """Start it, again where it has ended."""
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        self._running = self.spawner.start(self.arguments, self.environment, self.log)
        self.starts += 1
        return self

    @property
    def pid(self) -> int:
        """Return the process id of the last start."""
        return self._last.pid

    @property
    def alive(self) -> bool:
        """Return whether it runs, stopped in mid-air or not."""
        return self._running is not None and self._running.poll() is None

    @property
    def status(self) -> int | None:
        """Return the exit status, None while it runs; -9 after a SIGKILL."""
        return self._last.poll()

    @property
    def said(self) -> str:
        """Return what it has said since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode("utf-8", "replace")

    @property
    def state(self) -> str | None:
        """Return the last `state` that it has logged since its last start."""
        states = [line["state"] for line in self.events() if "state" in line]
        return states[-1] if states else None

    def events(self) -> list[dict[str, str]]:
        """Return the structured lines that it has logged since its last start; those that a full disk tore are none."""
        found: list[dict[str, str]] = []
        for line in self.said.splitlines(keepends=True):
            if line.startswith("{") and line.endswith("}\n"):
                with suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def raise_failure(self) -> None:
        """Raise `RuntimeError` where it ended by itself, with an error; killed is not failed."""
        if self._running is not None and (self.status or 0) > 0:
            message = f"{self.name} ended with {self.status}:\n{self.said[-2000:]}"
            raise RuntimeError(message)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.alive:
            self._last.kill()
        self._last.wait(STOP_SECONDS)

    def terminate(self) -> int:
        """SIGTERM, and return the exit status; `TimeoutExpired` where it does not stop within ten seconds."""
        self._last.terminate()
        return self._last.wait(STOP_SECONDS)

    def stop_signal(self) -> None:
        """SIGSTOP: it holds still, in the middle of whatever it does, when this returns."""
        self._last.send_signal(signal.SIGSTOP)
        stopped = psutil.Process(self.pid)
        wait_until(lambda: stopped.status() == psutil.STATUS_STOPPED, STOP_SECONDS, lambda: f"{self.name} still runs")

    def continue_(self) -> None:
        """SIGCONT."""
        self._last.send_signal(signal.SIGCONT)

    def wait(self, deadline: float) -> int:
        """Wait until it ends by itself, and return its exit status."""
        wait_until(lambda: not self.alive, deadline, lambda: f"{self.name} still runs:\n{self.said[-2000:]}")
        return self._last.wait()

    def wait_for_state(self, state: str, deadline: float = START_SECONDS) -> Self:
        """Wait until it has logged that it is in this state."""
        wait_until(
            lambda: self.state == state or not self.alive,
            deadline,
            lambda: f"{self.name} did not become {state!r}:\n{self.said[-2000:]}",
        )
        if self.state != state:
            message = f"{self.name} ended ({self.status}) and never was {state!r}:\n{self.said[-2000:]}"
            raise RuntimeError(message)
        return self

    @property
    def _last(self) -> subprocess.Popen[bytes]:
        if self._running is None:
            message = f"{self.name} was never started"
            raise RuntimeError(message)
        return self._running


@contextmanager
def restarting(*processes: Process) -> Iterator[None]:
    """Start each of them again as soon as it has died, for as long as this lasts; `starts` counts."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            for process in processes:
                if not process.alive:
                    process.start()

    thread = threading.Thread(target=watch, name="restarting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass
class Services:
    """One installation: its stores, opened here too, and its processes.

    Edge has one owner at a time, the flow while it runs; so the verdict stops everything first.
    """

    folder: Path
    ledger: Ledger
    processes: list[Process] = field(default_factory=list)
    servers: list[Process] = field(default_factory=list)
    """Processes that are stores of this installation: they go on when its services stop."""
    urls: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """Where `documents`, `records`, `log` and `features` are; what is not named is SQLite or Edge in the folder."""
    tap: Tap | None = field(default=None, kw_only=True)
    """What watches a log that is not in the folder."""

    def __post_init__(self) -> None:
        """Open what several processes may have open, and count in the log what is published."""
        self.clock = SystemClock()
        self.spawner = Spawner()
        self.embedder = HashingEmbedder()
        self.documents: DocumentStore = open_document_store(self.url("documents"), self.clock)
        self.records: RecordStore = open_record_store(self.url("records"))
        self.log: EventLog = open_event_log(self.url("log"))
        self.log_tap: Tap = self.tap or SqliteTap(self.folder / "log.db")

    def url(self, store: str) -> str:
        """Return the URL of `documents`, `records`, `log` or `features`."""
        in_folder = f"edge://{self.folder}/vectors" if store == "features" else f"sqlite://{self.folder}/{store}.db"
        return self.urls.get(store, in_folder)

    def process(self, name: str, *arguments: str, **environment: str) -> Process:
        """Return a process of this installation, not started; `arguments` are Python's."""
        self.processes.append(self._process(name, *arguments, **environment))
        return self.processes[-1]

    def server_process(self, name: str, *arguments: str) -> Process:
        """Return a process that is one of the stores, not started."""
        self.servers.append(self._process(name, *arguments))
        return self.servers[-1]

    def start_cdc(self, name: str = "cdc", **environment: str) -> Process:
        """Start a cdc; it is active, or waits for the one that is."""
        return self.process(name, "-m", "twin_cdc", **environment).start()

    def start_flow(self, name: str = "flow", **environment: str) -> Process:
        """Start a flow."""
        return self.process(name, "-m", "twin_feature_stream", **environment).start()

    def is_quiet(self) -> bool:
        """Return whether everything that the store has committed has arrived."""
        return not self._unquiet()

    def wait_until_quiet(self, deadline: float = 120.0) -> None:
        """Wait until everything that the store has committed has arrived; raises at once where a process failed."""
        wait_until(self.is_quiet, deadline, lambda: f"{', '.join(self._unquiet())}\n{self._last_words()}")

    def audit(self, deadline: float = 60.0) -> AuditReport:
        """Have the running flow audit, and return its report."""
        asked = ask_audit(self.records, self.clock, "a test")
        wait_until(
            lambda: (report := audit_report(self.records, asked.id)) is not None and report.finished_at is not None,
            deadline,
            lambda: f"the audit is {audit_report(self.records, asked.id)}\n{self._last_words()}",
        )
        return audit_report(self.records, asked.id) or asked

    def stop(self) -> None:
        """Stop every process cleanly; one that does not within ten seconds is an error."""
        for process in self.processes:
            if process.alive:
                process.continue_()
                if (status := process.terminate()) not in {0, -signal.SIGTERM}:  # the latter while it still imports
                    message = f"{process.name} ended with {status} when it was asked to stop:\n{process.said[-2000:]}"
                    raise RuntimeError(message)

    def verdict(self) -> Verdict:
        """Stop every process and judge by the oracle; it may be started again afterwards."""
        with self.features() as features:
            return judge(self.ledger, self.documents, features, self.duplicates())

    def leftovers(self) -> int:
        """Stop every process and return how many stored chunks belong to no record in force."""
        with self.features() as features:
            return leftovers(features)

    @contextmanager
    def features(self) -> Iterator[FeatureStore]:
        """Stop every process and yield the feature store."""
        self.stop()
        with open_feature_store(self.url("features"), self.embedder.spec) as features:
            yield features

    def waiting(self) -> int:
        """Return how many events are not acknowledged, those included that a flow has and did not finish.

        Raises:
            LogUnavailable: transient.
        """
        return self.log.waiting() or self.log_tap.waiting()  # what a broker has handed out, only its own side knows

    def duplicates(self) -> int:
        """Return how many events were published again that the log had already taken: redeliveries."""
        return self.log_tap.duplicates()

    def published(self, lane: Lane) -> Counter[DocumentId]:
        """Return how often the log has taken an event of each document on this lane."""
        return self.log_tap.published(lane)

    def close(self) -> None:
        """Kill what still runs and release the stores."""
        for process in (*self.processes, *self.servers):
            if process.alive:
                process.kill()
        self.spawner.close()
        for store in (self.log_tap, self.documents, self.records, self.log, self.ledger):
            store.close()

    def __enter__(self) -> Self:
        """Return the installation; leaving kills what still runs."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def _process(self, name: str, *arguments: str, **environment: str) -> Process:
        read = {"CDC": ("documents", "records", "log"), "FEATURE_STREAM": ("documents", "records", "log", "features")}
        settings = {
            f"{prefix}_{store.upper()}_URL": self.url(store) for prefix, stores in read.items() for store in stores
        }
        path = (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", ""))
        settings |= {"EMBEDDING_MODEL": EmbeddingModel.HASHING.value, "PYTHONPATH": os.pathsep.join(filter(None, path))}
        return Process(
            name, arguments, {**os.environ, **settings, **environment}, self.folder / f"{name}.log", self.spawner
        )

    def _unquiet(self) -> list[str]:
        """Return what is still to be done. The log comes last: what the others settle is in it by then."""
        for process in (*self.processes, *self.servers):
            process.raise_failure()
        found = [
            f"{process.name} is {process.state or 'starting'}"
            for process in self.processes
            if process.alive and process.state not in {"active", "running", "waiting"}
        ]
        if not is_captured(self.documents, self.records):
            found.append("cdc's position is not the store's end")
        if requests := len(open_reemissions(self.records)):
            found.append(f"{requests} re-emissions are open")
        if not found:
            found += self._unacknowledged()
        return found

    def _unacknowledged(self) -> list[str]:
        try:
            waiting = self.waiting()
        except TransientError as error:
            return [str(error)]
        return [f"{waiting} events are not acknowledged"] if waiting else []

    def _last_words(self) -> str:
        said = ((process.name, process.said[-1500:]) for process in (*self.processes, *self.servers))
        return "\n".join(f"--- {name}\n{words}" for name, words in said)
