"""A whole embedded system as processes, in a data folder of its own: what benchmarks and end-to-end tests run on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.spawn import Spawner
from twin_cli.data_folder import DataFolder

START_SECONDS = 120.0
STOP_SECONDS = 20.0


@dataclass
class RunningSystem:
    """`twin up` with its data folder; `kill` is a real SIGKILL."""

    data: Path
    environment: dict[str, str]
    spawner: Spawner
    parent: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """Return what the system has said so far, over all its starts."""
        return _log_of(self.environment).read_text("utf-8", "replace")

    @property
    def url(self) -> str:
        """Return where the API listens now."""
        return str(json.loads((self.data / "owner.json").read_text())["url"])

    @property
    def key(self) -> str:
        """Return the API's key."""
        return (self.data / "key").read_text().strip()

    def client(self) -> httpx.Client:
        """Return an HTTP client of the API."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60.0, trust_env=False
        )

    def twin(self, *words: str, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run one `twin` command on this data folder."""
        command = [sys.executable, "-m", "twin_cli", *words]
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.data.parent,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start_twin(self, *words: str) -> subprocess.Popen[str]:
        """Start one `twin` command on this data folder."""
        command = [sys.executable, "-m", "twin_cli", *words]
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def child(self) -> psutil.Process:
        """Return the process that does the work."""
        return psutil.Process(int(json.loads((self.data / "owner.json").read_text())["pid"]))

    def kill_child(self) -> None:
        """SIGKILL the working process; its parent starts another."""
        child = self.child()
        child.kill()
        child.wait(STOP_SECONDS)

    def kill_all(self) -> None:
        """SIGKILL parent and child, as a power cut would."""
        child = self.child()
        self.parent.kill()
        self.parent.wait(STOP_SECONDS)
        child.kill()
        child.wait(STOP_SECONDS)

    def start(self) -> None:
        """Start `twin up` on the data folder, and wait until it is ready."""
        self.parent = _up(self.spawner, self.environment)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for the readiness of what was started last; a lone import, which serves the folder, too, is not it."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.parent.poll() is not None or time.monotonic() > deadline:
                message = f"twin up did not become ready (exit status {self.parent.poll()}):\n{self.log[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.05)

    def stop(self) -> int:
        """Ask for a clean stop and return the exit status."""
        self.parent.send_signal(signal.SIGTERM)
        return self.parent.wait(STOP_SECONDS)

    def interrupt(self) -> int:
        """Do what Ctrl-C does and return the exit status."""
        self.parent.send_signal(signal.SIGINT)
        return self.parent.wait(STOP_SECONDS)

    def _is_ready(self) -> bool:
        try:
            ready = httpx.get(f"{self.url}/readyz", timeout=5.0, trust_env=False).is_success
            return ready and self.child().ppid() == self.parent.pid
        except (httpx.TransportError, psutil.Error, OSError, ValueError, KeyError):
            return False


@contextmanager
def running_system(fill: Callable[[Path], None] | None = None, /, **settings: str) -> Iterator[RunningSystem]:
    """Yield a system in a new data folder, ready; stopped and removed at the end.

    Args:
        fill: puts a backlog into the folder before anything runs.
        settings: environment variables of the system.
    """
    with tempfile.TemporaryDirectory(prefix="twin-", ignore_cleanup_errors=True) as folder:
        data = Path(folder, "data")
        if fill is not None:
            with DataFolder(data):
                fill(data)
        environment = {**os.environ, "TWIN_DATA": str(data), "RAG_API_PORT": "0", **settings}
        for name in ("TWIN_URL", "TWIN_API_KEY"):
            environment.pop(name, None)
        spawner = Spawner()
        system = RunningSystem(data, environment, spawner, _up(spawner, environment))
        try:
            system.wait_until_ready()
            yield system
        finally:
            if system.parent.poll() is None:
                try:
                    system.stop()
                except subprocess.TimeoutExpired:
                    system.kill_all()
            spawner.close()


def _up(spawner: Spawner, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return spawner.start(("-m", "twin_cli", "up"), environment, _log_of(environment))


def _log_of(environment: dict[str, str]) -> Path:
    return Path(environment["TWIN_DATA"]).with_name("up.log")
