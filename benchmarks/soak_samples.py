"""What a soaked system is like, once a second: lag, counts, memory of each process, size of the data folder."""

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.ledger import Ledger
from benchmarks.memory import MEGABYTE, folder_sizes
from benchmarks.oracle import Verdict, judge, leftovers
from benchmarks.soak_clients import Work
from benchmarks.spawn import wait_until
from twin_contracts.audit import AuditReport
from twin_contracts.base import DocumentId
from twin_contracts.records import RecordStatus
from twin_platform.documents.port import DocumentStore
from twin_platform.features.port import FeatureStore
from twin_platform.records.audits import ask_audit, audit_report
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import SystemClock

SAMPLE_SECONDS = 1.0
AUDIT_SECONDS = 120.0
SHORTEST_LIFE = 60
"""Seconds that a process has to live before its memory tells anything."""


@dataclass(frozen=True)
class Counts:
    """How far the system is; None where nobody can say, as while it starts."""

    lag: float | None = None
    """Age of the oldest acknowledged write that is not done, in seconds."""
    waiting: int | None = None
    """Events that are not acknowledged."""
    stored: int | None = None
    records: int | None = None
    """Searchable documents."""
    chunks: int | None = None


@dataclass(frozen=True)
class Judged:
    """What is there in the end."""

    verdict: Verdict
    stored: int
    """Documents in the store."""
    records: int
    """Documents in the snapshots, tombstones apart."""
    chunks: int
    """That a reader sees."""
    unseen: int
    """Chunks that no reader sees. An audit removes them; those younger than their record an hour later."""


@dataclass(frozen=True)
class Life:
    """One process at one moment."""

    pid: int
    resident: float
    """MB."""
    anonymous: float
    """MB of it that no mapped file stands for: what a leak would raise."""


@dataclass(frozen=True)
class Sample:
    """One second."""

    at: float
    counts: Counts
    lives: Mapping[str, Life]
    folder: float
    """MB on disk."""


Action = Callable[[random.Random], str]
"""Does something to a system, and says what it has done."""


class Soaked(Protocol):
    """A system under a soak."""

    folder: Path

    def work(self, seed: int, rate: float) -> Work:
        """Return what writes to it."""

    def actions(self) -> Sequence[Action]:
        """Return what may be done to it; after each it works again by itself."""

    def wait_until_quiet(self) -> None:
        """Wait until everything has arrived."""

    def own_deaths(self) -> int:
        """Return how many processes have died that nobody killed."""

    def judged(self) -> "Judged":
        """Stop it and judge."""

    def start(self) -> None:
        """Start it again."""

    def counts(self) -> Counts:
        """Return how far it is."""

    def pids(self) -> Mapping[str, int]:
        """Return its processes by their roles."""


@dataclass
class Sampler:
    """Looks once a second, in a thread of its own."""

    watched: Soaked
    samples: list[Sample] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _sampling: Future[None] | None = None

    @property
    def now(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self.began

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample until left."""
        done = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            self._sampling = thread.submit(self._run, done)
            try:
                yield
            finally:
                done.set()
        self._sampling.result()

    def check(self) -> None:
        """Raise what has ended the sampling."""
        if self._sampling is not None and self._sampling.done():
            self._sampling.result()

    def _run(self, done: threading.Event) -> None:
        while not done.wait(SAMPLE_SECONDS - self.now % SAMPLE_SECONDS):
            lives = {role: life for role, pid in self.watched.pids().items() if (life := _life(pid)) is not None}
            size = sum(folder_sizes(self.watched.folder).values())
            self.samples.append(Sample(self.now, self.watched.counts(), lives, size))


@dataclass(frozen=True)
class Growth:
    """Memory of one process late in its life, beside what it was when it had settled."""

    role: str
    seconds: float
    early: float
    """Median of the second quarter of its life, in MB without mapped files."""
    late: float
    """Median of the last quarter."""


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Return the growth of every process that lived long enough."""
    lives: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for sample in samples:
        for role, life in sample.lives.items():
            lives.setdefault((role, life.pid), []).append((sample.at, life.anonymous))
    found = []
    for (role, _), points in lives.items():
        seconds = points[-1][0] - points[0][0]
        if seconds >= SHORTEST_LIFE:
            quarter = len(points) // 4
            early = statistics.median(value for _, value in points[quarter : 2 * quarter])
            late = statistics.median(value for _, value in points[-quarter:])
            found.append(Growth(role, seconds, early, late))
    return found


def judged(ledger: Ledger, documents: DocumentStore, features: FeatureStore) -> Judged:
    """Judge by the oracle, and count."""
    verdict, unseen = judge(ledger, documents, features), leftovers(features)
    tombstones = features.count_records(RecordStatus.DELETED)
    records = sum(features.count_records(status) for status in RecordStatus) - tombstones
    return Judged(verdict, documents.count(), records, features.count_chunks() - unseen, unseen)


def audited(folder: Path) -> AuditReport:
    """Have the running system audit itself, and return what it reports."""
    with open_record_store(f"sqlite://{folder}/records.db") as records:
        asked = ask_audit(records, SystemClock(), "soak").id
        wait_until(lambda: _finished(records, asked) is not None, AUDIT_SECONDS, lambda: f"audit {asked} goes on")
        report = _finished(records, asked)
    if report is None:
        message = f"the report of audit {asked} is gone"
        raise RuntimeError(message)
    return report


def _finished(records: RecordStore, audit_id: DocumentId) -> AuditReport | None:
    report = audit_report(records, audit_id)
    return report if report is not None and report.finished_at is not None else None


def _life(pid: int) -> Life | None:
    with suppress(psutil.Error):
        figures = psutil.Process(pid).memory_info()
        return Life(pid, figures.rss / MEGABYTE, (figures.rss - getattr(figures, "shared", 0)) / MEGABYTE)
    return None
