"""cdc and flow under a soak, each a process of its own, with a second cdc that stands by."""

import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.processes import Process, Services, restarting
from benchmarks.soak_clients import Work
from benchmarks.soak_samples import Action, Counts, Judged, judged
from benchmarks.targets import StoreTarget
from twin_contracts.events import EventHeaders

DOCUMENTS = 1000
QUIET_SECONDS = 180.0
LONGEST_PAUSE = 6.0


class SoakedServices:
    """`python -m twin_cdc`, twice, and `python -m twin_feature_stream`; who dies is started again at once."""

    def __init__(self, services: Services) -> None:
        """Start them."""
        self.folder = services.folder
        self._services = services
        self._kills = 0
        self._processes = (services.start_cdc(), services.start_cdc("cdc standing by"), services.start_flow())

    def work(self, seed: int, rate: float) -> Work:
        """Return what writes to the store, and keeps the processes running."""
        load = Load(seed, StoreTarget(self._services.documents), self._services.ledger, rate, DOCUMENTS)
        return Work(load, self._keep)

    def actions(self) -> Sequence[Action]:
        """Return what may be done to them."""
        return (self._kill, self._kill, self._pause)

    def counts(self) -> Counts:
        """Look into the stores; the snapshots are the flow's alone."""
        return Counts(self._oldest(), self._services.log.waiting(), self._services.documents.count())

    def pids(self) -> Mapping[str, int]:
        """Return those that run."""
        return {process.name: process.pid for process in self._processes if process.alive}

    def wait_until_quiet(self) -> None:
        """Wait until everything has arrived."""
        self._services.wait_until_quiet(QUIET_SECONDS)

    def own_deaths(self) -> int:
        """Count the starts that no kill explains."""
        return sum(process.starts - 1 for process in self._processes) - self._kills

    def judged(self) -> Judged:
        """Stop them and judge."""
        with self._services.features() as features:
            return judged(self._services.ledger, self._services.documents, features)

    def start(self) -> None:
        """Start them again."""
        for process in self._processes:
            process.start()

    def _keep(self, stop: threading.Event) -> None:
        """Start again what dies."""
        with restarting(*self._processes):
            stop.wait()

    def _kill(self, chance: random.Random) -> str:
        process = chance.choice(self._processes)
        process.kill()
        self._kills += 1
        return f"kill -9 {process.name}"

    def _pause(self, chance: random.Random) -> str:
        process: Process = chance.choice(self._processes)
        process.stop_signal()
        time.sleep(chance.uniform(1.0, LONGEST_PAUSE))
        process.continue_()
        return f"stop {process.name} for a while"

    def _oldest(self) -> float:
        """Return the age of the oldest event that is not acknowledged."""
        with closing(sqlite3.connect(f"file:{self.folder}/log.db?mode=ro", uri=True, timeout=30.0)) as log:
            row = log.execute("SELECT headers FROM events ORDER BY seq LIMIT 1").fetchone()
        version = EventHeaders.model_validate_json(row[0]).version if row else None
        return time.time() - version.seconds if version else 0.0


@contextmanager
def soaked_services() -> Iterator[SoakedServices]:
    """Yield processes that run over a new folder."""
    with tempfile.TemporaryDirectory(prefix="twin-", ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        with Services(path, Ledger(path / "ledger")) as services:
            yield SoakedServices(services)
