"""Every service a process of its own, on RabbitMQ and a vector server; of cdc and of one flow a second stands by."""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from benchmarks.broker import Broker
from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.processes import Process, restarting
from benchmarks.served import ServedServices
from benchmarks.soak_clients import Probe, ProbedStores, Work
from benchmarks.soak_samples import Action, Counts, Judged, judged
from benchmarks.targets import StoreTarget
from twin_contracts.records import RecordStatus
from twin_platform.errors import TransientError
from twin_platform.features.open import read_feature_store
from twin_platform.features.port import FeatureStore
from twin_platform.records.audits import ask_audit
from twin_platform.records.reemissions import ask_reemission

DOCUMENTS = 300
"""So few that they are all there after a minute or two: what grows from then on grows with time."""
FLOWS = 2
QUIET_SECONDS = 180.0
LONGEST_PAUSE = 6.0
LONGEST_DOWN = 3.0
LOOK_SECONDS = 0.2

T = TypeVar("T")


class SoakedServices:
    """cdc and the first flow twice, the second flow once, a broker, a vector server.

    A service that dies is started again at once, a server that was killed after a while.
    """

    def __init__(self, services: ServedServices, features: FeatureStore) -> None:
        """Start them."""
        self.folder = services.folder
        self._services, self._features = services, features
        self._kills = 0
        self._server_is_down = False
        self._probe = Probe(ProbedStores(services.documents, features, services.ledger))
        of_flows = [{"FLOW_INDEX": str(index), "FLOW_COUNT": str(FLOWS)} for index in range(FLOWS)]
        self._processes = (
            services.start_cdc(),
            services.start_cdc("cdc stand-by"),
            *(services.start_flow(f"flow {index}", **of_flow) for index, of_flow in enumerate(of_flows)),
            services.start_flow("flow 0 stand-by", **of_flows[0]),
        )

    def work(self, seed: int, rate: float) -> Work:
        """Return what writes to the store, what probes, and what keeps the processes running."""
        load = Load(seed, StoreTarget(self._services.documents), self._services.ledger, rate, DOCUMENTS)
        return Work(load, self._probe.run, self._keep)

    def actions(self) -> Sequence[Action]:
        """Return what may be done to them, or asked of them in the middle of it."""
        return (
            *[self._kill] * 3,
            self._kill_all,
            self._pause,
            self._kill_broker,
            self._pause_broker,
            self._kill_vectors,
            self._pause_vectors,
            self._resync,
            self._audit,
        )

    def counts(self) -> Counts:
        """Look into the stores; of one that is away nobody can say."""
        return Counts(
            round(self._probe.lag, 3),
            _known(self._services.log.waiting),
            _known(self._services.documents.count),
            _known(lambda: self._features.count_records(RecordStatus.INDEXED)),
            _known(self._features.count_chunks),
        )

    def pids(self) -> Mapping[str, int]:
        """Return those that run."""
        running = {process.name: process for process in (*self._processes, self._services.vectors)}
        pids = {name: process.pid for name, process in running.items() if process.alive}
        return pids | ({"broker": self._services.broker.pid} if self._services.broker.alive else {})

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
        """Start again what dies; raises where a server does by itself."""
        with restarting(*self._processes):
            while not stop.wait(LOOK_SECONDS):
                for name, server in (("broker", self._services.broker), ("vector server", self._services.vectors)):
                    if not (server.alive or self._server_is_down):
                        message = f"the {name} has died by itself"
                        raise RuntimeError(message)

    def _kill(self, chance: random.Random) -> str:
        process = chance.choice(self._processes)
        self._kill_one(process)
        return f"kill -9 {process.name}"

    def _kill_all(self, _chance: random.Random) -> str:
        for process in self._processes:
            self._kill_one(process)
        return "kill -9 every service"

    def _kill_one(self, process: Process) -> None:
        """Kill it; one that has just died by itself is not counted."""
        self._kills += process.alive
        process.kill()

    def _pause(self, chance: random.Random) -> str:
        process: Process = chance.choice(self._processes)
        return _held_still(process.name, process.stop_signal, process.continue_, chance)

    def _kill_broker(self, chance: random.Random) -> str:
        return self._down("the broker", self._services.broker.kill, self._services.broker.start, chance)

    def _pause_broker(self, chance: random.Random) -> str:
        return _held_still("the broker", self._services.broker.hold, self._services.broker.resume, chance)

    def _kill_vectors(self, chance: random.Random) -> str:
        return self._down("the vector server", self._services.vectors.kill, self._services.start_vectors, chance)

    def _pause_vectors(self, chance: random.Random) -> str:
        server = self._services.vectors
        return _held_still("the vector server", server.stop_signal, server.continue_, chance)

    def _resync(self, _chance: random.Random) -> str:
        ask_reemission(self._services.records, self._services.clock, "soak")
        return "ask for everything again"

    def _audit(self, _chance: random.Random) -> str:
        ask_audit(self._services.records, self._services.clock, "soak")
        return "ask for an audit"

    def _down(self, name: str, kill: Callable[[], object], start: Callable[[], object], chance: random.Random) -> str:
        self._server_is_down = True
        kill()
        time.sleep(chance.uniform(0.0, LONGEST_DOWN))
        start()
        self._server_is_down = False
        return f"kill -9 {name}"


@contextmanager
def soaked_services() -> Iterator[SoakedServices]:
    """Yield processes that run over a new folder."""
    with tempfile.TemporaryDirectory(prefix="twin-", ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        with (
            Broker(path / "broker") as broker,
            ServedServices(path, Ledger(path / "ledger"), broker=broker) as services,
            read_feature_store(services.url("features"), services.embedder.spec) as features,
        ):
            yield SoakedServices(services, features)


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except TransientError:
        return None


def _held_still(name: str, stop: Callable[[], object], go_on: Callable[[], object], chance: random.Random) -> str:
    stop()
    time.sleep(chance.uniform(1.0, LONGEST_PAUSE))
    go_on()
    return f"stop {name} for a while"
