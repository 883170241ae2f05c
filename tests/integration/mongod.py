"""Real MongoDB servers for tests: one that a URL names, or processes of our own on free ports with private folders.

Nobody packages `mongod` for pip or Debian, so tests that need one are skipped where there is none, with this reason.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

URL = "MONGODB_TEST_URL"
"""A replica set that tests may make databases in."""
PROGRAM = "MONGOD"
"""The program, where it is not on the PATH."""
START_SECONDS = 60.0
ELECTION_MILLISECONDS = 2000
NONE = f"no MongoDB server: set {URL}, or {PROGRAM} to a mongod, or put one on the PATH"


def program() -> str | None:
    """Return the mongod to start, None where there is none."""
    return os.environ.get(PROGRAM) or shutil.which("mongod")


@dataclass
class Member:
    """One mongod of a set; `kill` is a real SIGKILL."""

    port: int
    folder: Path
    set_name: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it on its folder, and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        log = self.folder / "mongod.log"
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [
                    *(program() or "mongod", "--port", str(self.port), "--bind_ip", "127.0.0.1"),
                    *("--dbpath", str(self.folder), "--replSet", self.set_name),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        wait_for(lambda: _answers(self), START_SECONDS, lambda: f"{self.address} is silent:\n{_end_of(log)}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        with suppress(subprocess.TimeoutExpired):
            self._signal(signal.SIGTERM)
            return
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)


@dataclass
class ReplicaSet:
    """A set of members of our own."""

    members: list[Member]
    name: str

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/{database}?replicaSet={self.name}"

    def initiate(self) -> None:
        """Make the members a set, and wait for its primary."""
        members = [{"_id": index, "host": member.address} for index, member in enumerate(self.members)]
        settings = {"electionTimeoutMillis": ELECTION_MILLISECONDS}
        config = {"_id": self.name, "members": members, "settings": settings}
        with MongoClient[dict[str, object]](f"mongodb://{self.members[0].address}/?directConnection=true") as client:
            client.admin.command("replSetInitiate", config)
        wait_for(lambda: self.primary() is not None, START_SECONDS, lambda: f"{self.name} has no primary")

    def primary(self) -> Member | None:
        """Return the member that takes writes now."""
        return next((member for member in self.members if _hello(member).get("isWritablePrimary")), None)


@contextmanager
def replica_set(count: int = 1) -> Iterator[ReplicaSet]:
    """Yield a set of so many members, each in a folder of its own; they end with the block."""
    with tempfile.TemporaryDirectory(prefix="twin-mongod-", ignore_cleanup_errors=True) as folder:
        name = f"twin{uuid4().hex[:8]}"
        members = [Member(port, Path(folder, str(port)), name) for port in free_ports(count)]
        try:
            for member in members:
                member.start()
            made = ReplicaSet(members, name)
            made.initiate()
            yield made
        finally:
            for member in members:
                member.stop()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def wait_for(holds: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Poll until `holds()`; fails after the deadline with what was seen instead."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {what()}")
        time.sleep(0.1)


def _answers(member: Member) -> bool:
    return bool(_hello(member))


def _hello(member: Member) -> dict[str, object]:
    url = f"mongodb://{member.address}/?directConnection=true"
    try:
        with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=1000) as client:
            return client.admin.command("hello")
    except PyMongoError:
        return {}


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:] if log.exists() else "it has no log"
