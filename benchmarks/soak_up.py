"""`twin up` under a soak: what works on it, what is done to it, and how far it is."""

import json
import random
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import httpx
import psutil

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.soak_clients import Imports, Probe, ProbedApi, Work
from benchmarks.soak_samples import Action, Counts, Judged, judged
from benchmarks.spawn import wait_until
from benchmarks.system import START_SECONDS, STOP_SECONDS, RunningSystem, running_system
from benchmarks.targets import HttpTarget
from twin_cli.client import Client
from twin_cli.up import REFUSED
from twin_contracts.embedding import EmbeddingModel, EmbeddingSpec
from twin_contracts.http import SystemStatus
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.features.open import open_feature_store
from twin_platform.telemetry.clock import SystemClock

DOCUMENTS = 300
"""So few that they are all there after a minute or two: what grows from then on grows with time."""
EXPLAINED = {-signal.SIGKILL, REFUSED}
"""Endings of a child that somebody else has caused."""
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 1.0
QUIET_SECONDS = 180.0
DOWN_SECONDS = 2.0
LONGEST_PAUSE = 6.0


class SoakedUp:
    """The whole system in one process below its parent, and three kinds of clients."""

    def __init__(self, system: RunningSystem, ledger: Ledger, spec: EmbeddingSpec) -> None:
        """Prepare the clients of a system that is ready, and will be found under the same URL after each start."""
        url, key = system.url, system.key
        self.folder = system.data
        self._system, self._ledger, self._spec = system, ledger, spec
        self._imports = Imports(system, ledger)
        self._probe = Probe(ProbedApi(Client(lambda: (url, key)), ledger))
        self._client = system.client()
        self._client.timeout = httpx.Timeout(ANSWER_SECONDS)

    def work(self, seed: int, rate: float) -> Work:
        """Return clients that write, import and probe. The last import is undisturbed, and has to end well."""
        load = Load(seed, HttpTarget(self._client), self._ledger, rate, DOCUMENTS)
        return Work(load, self._imports.run, self._probe.run)

    def actions(self) -> Sequence[Action]:
        """Return what may be done to it; each takes a source of chance and says what it has done."""
        return (
            self._kill_child,
            self._kill_child,
            self._kill_parent,
            self._kill_both,
            self._kill_import,
            self._pause_child,
            self._pause_import,
        )

    def counts(self) -> Counts:
        """Ask the system itself."""
        lag = round(self._probe.lag, 3)
        try:
            response = self._client.get("/v1/status", timeout=LOOK_SECONDS).raise_for_status()
        except httpx.HTTPError:
            return Counts(lag)
        status = SystemStatus.model_validate_json(response.content)
        counts = status.counts
        return Counts(lag, status.waiting, counts.stored, counts.indexed, counts.chunks)

    def pids(self) -> Mapping[str, int]:
        """Return its parent, its child and the import."""
        found = {"parent": self._system.parent.pid}
        for child in self._children():
            found["child"] = child.pid
        if importing := self._imports.process():
            found["import"] = importing.pid
        return found

    def wait_until_quiet(self) -> None:
        """Wait until everything has arrived."""
        wait_until(self._is_quiet, QUIET_SECONDS, lambda: f"{self.counts()}\n{self._system.log[-2000:]}")

    def own_deaths(self) -> int:
        """Read what the parent has said; a child that finds the folder in the hands of a lone import comes again."""
        said = (json.loads(line) for line in self._system.log.splitlines() if line.startswith("{"))
        return sum(one["event"] == "child_died" and one["status"] not in EXPLAINED for one in said)

    def judged(self) -> Judged:
        """Stop it and judge."""
        self._system.stop()
        with (
            open_document_store(f"sqlite://{self.folder}/documents.db", SystemClock()) as documents,
            open_feature_store(f"edge://{self.folder}/vectors", self._spec, DEFAULT_PARTITIONS) as features,
        ):
            return judged(self._ledger, documents, features)

    def start(self) -> None:
        """Start it again."""
        self._system.start()

    def _is_quiet(self) -> bool:
        try:
            status = SystemStatus.model_validate_json(self._client.get("/v1/status").raise_for_status().content)
        except httpx.HTTPError:
            return False
        return status.captured and not status.waiting and not status.reemissions

    def _children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._system.parent.pid).children()
        return []

    def _kill_child(self, _chance: random.Random) -> str:
        for child in self._children():
            child.kill()
        return "kill -9 the child"

    def _kill_parent(self, chance: random.Random) -> str:
        children = self._children()
        self._system.parent.kill()
        self._start_again(chance, children)
        return "kill -9 the parent"

    def _kill_both(self, chance: random.Random) -> str:
        children = self._children()
        for process in (psutil.Process(self._system.parent.pid), *children):
            process.kill()
        self._start_again(chance, children)
        return "kill -9 both"

    def _kill_import(self, _chance: random.Random) -> str:
        if importing := self._imports.process():
            importing.kill()
        return "kill -9 an import"

    def _pause_child(self, chance: random.Random) -> str:
        _pause(self._children(), chance)
        return "stop the child for a while"

    def _pause_import(self, chance: random.Random) -> str:
        importing = self._imports.process()
        _pause([importing] if importing else [], chance)
        return "stop an import for a while"

    def _start_again(self, chance: random.Random, orphans: Sequence[psutil.Process]) -> None:
        """Start it some time after it has died; again, while an import that goes on alone holds the folder."""
        self._system.parent.wait(STOP_SECONDS)
        psutil.wait_procs(orphans, STOP_SECONDS)
        time.sleep(chance.uniform(0.0, DOWN_SECONDS))
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._system.start()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
            else:
                return


@contextmanager
def soaked_up() -> Iterator[SoakedUp]:
    """Yield a running system in a new folder, listening on one port all the time."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"RAG_API_PORT": str(port), "EMBEDDING_MODEL": EmbeddingModel.HASHING.value}
    with running_system(**settings) as system, Ledger(system.data.with_name("ledger")) as ledger:
        yield SoakedUp(system, ledger, HashingEmbedder().spec)


def _pause(processes: Sequence[psutil.Process], chance: random.Random) -> None:
    with suppress(psutil.NoSuchProcess):
        for process in processes:
            process.suspend()
        time.sleep(chance.uniform(1.0, LONGEST_PAUSE))
        for process in processes:
            process.resume()
