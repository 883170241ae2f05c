"""Installations whose stores are servers: the log on a RabbitMQ broker, vectors on Edge or on a Qdrant server."""

from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from benchmarks.broker import Broker
from benchmarks.processes import START_SECONDS, Process, Services
from benchmarks.rabbitmq_tap import RabbitmqTap
from benchmarks.spawn import free_port, wait_until


@dataclass
class RabbitmqServices(Services):
    """The log in a vhost of its own on a broker; documents and records in SQLite, vectors on Edge."""

    broker: Broker = field(kw_only=True)

    def __post_init__(self) -> None:
        """Make the vhost, and open everything."""
        self.vhost = f"twin-{uuid4().hex[:12]}"
        self.urls = {**self.urls, "log": self.broker.add_vhost(self.vhost)}
        self.tap = self.rabbitmq_tap = RabbitmqTap(self.broker, self.vhost)
        super().__post_init__()

    def close(self) -> None:
        """Kill what still runs, release the stores and delete the vhost."""
        super().close()
        if self.broker.alive:  # a test that has killed it leaves nothing else behind
            self.broker.control("delete_vhost", self.vhost)


@dataclass
class ServedServices(RabbitmqServices):
    """The same with vectors on a server: the tests' stand-in for Qdrant, a process that can be killed."""

    def __post_init__(self) -> None:
        """Start the server, and open everything."""
        port = free_port()
        self.urls = {**self.urls, "features": f"http://127.0.0.1:{port}"}
        super().__post_init__()
        self.vectors_folder = self.folder / "qdrant"
        where = ("--port", str(port), "--folder", str(self.vectors_folder))
        self.vectors: Process = self.server_process("vectors", "-m", "standins.qdrant", *where)
        self.start_vectors()

    def start_vectors(self) -> None:
        """Start the server, again where it has died, and wait until it answers."""
        self.vectors.start()
        wait_until(self._answers, START_SECONDS, lambda: f"the vectors' server is silent:\n{self.vectors.said[-2000:]}")

    def _answers(self) -> bool:
        self.vectors.raise_failure()
        try:
            return httpx.get(f"{self.url('features')}/readyz", trust_env=False).is_success
        except httpx.TransportError:
            return False
