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
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

URL = "MONGODB_TEST_URL"
"""A replica set that tests may make databases in."""
PROGRAM = "MONGOD"
"""The program, where it is not on the PATH."""
START_SECONDS = 60.0
WHOLE_SECONDS = 120.0
"""A killed member may have to roll back, or to copy everything, before it follows again."""
ELECTION_MILLISECONDS = 2000
NONE = f"no MongoDB server: set {URL}, or {PROGRAM} to a mongod, or put one on the PATH"
NONE_OF_OURS = f"no MongoDB server that is ours to kill: set {PROGRAM} to a mongod, or put one on the PATH"


def program() -> str | None:
    """Return the mongod to start, None where there is none."""
    return os.environ.get(PROGRAM) or shutil.which("mongod")


@dataclass
class Member:
    """One mongod of a set; `kill` is a real SIGKILL."""

    port: int
    folder: Path
    set_name: str
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Return whether it runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it on its folder, and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        log = self.folder / "mongod.log"
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [
                    *(program() or "mongod", "--port", str(self.port), "--bind_ip", "127.0.0.1"),
                    *("--dbpath", str(self.folder), "--replSet", self.set_name),
                    *("--nounixsocket", "--wiredTigerCacheSizeGB", "0.5", *self.options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        wait_for(lambda: bool(self.hello()), START_SECONDS, lambda: f"{self.address} is silent:\n{_end_of(log)}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        with suppress(subprocess.TimeoutExpired):
            self._signal(signal.SIGTERM)
            return
        self.kill()

    def client(self) -> MongoClient[dict[str, Any]]:
        """Return a client of this member alone, whatever its part is."""
        return MongoClient(
            f"mongodb://{self.address}/?directConnection=true", serverSelectionTimeoutMS=1000, tz_aware=True
        )

    def hello(self) -> dict[str, Any]:
        """Return what the member says of its part; nothing where it does not answer."""
        try:
            with self.client() as client:
                return client.admin.command("hello")
        except PyMongoError:
            return {}

    def told(self) -> str:
        """Return its part in a few words."""
        hello = self.hello()
        part = "the primary" if hello.get("isWritablePrimary") else "follows" if hello.get("secondary") else "neither"
        return part if hello else "is silent"

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.alive:
            self.process.send_signal(number)
            self.process.wait(30)


@dataclass
class ReplicaSet:
    """A set of members of our own."""

    members: list[Member]
    name: str
    election_milliseconds: int = ELECTION_MILLISECONDS
    """How long the members are without a primary before they elect one, and a primary without them before it ends."""

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/{database}?replicaSet={self.name}"

    def initiate(self) -> None:
        """Make the members a set, and wait until each has its part."""
        members = [{"_id": index, "host": member.address} for index, member in enumerate(self.members)]
        settings = {"electionTimeoutMillis": self.election_milliseconds}
        config = {"_id": self.name, "members": members, "settings": settings}
        with self.members[0].client() as client:
            client.admin.command("replSetInitiate", config)
        self.wait_until_whole()

    def primary(self) -> Member:
        """Return the member that takes writes; waits for an election."""
        found: list[Member] = []

        def look() -> bool:
            found[:] = [member for member in self.members if member.hello().get("isWritablePrimary")]
            return bool(found)

        wait_for(look, START_SECONDS, lambda: f"there is no primary: {self.told()}")
        return found[0]

    def wait_until_whole(self) -> None:
        """Wait until one member is the primary and every other one follows it."""
        wait_for(self._is_whole, WHOLE_SECONDS, lambda: f"the set is not whole: {self.told()}")

    def step_down(self) -> None:
        """Have the primary give up its part, as soon as another one can take it."""
        wait_for(self._step_down, START_SECONDS, lambda: f"no primary would step down: {self.told()}")

    def told(self) -> str:
        """Return what each member says of itself, for a test that fails."""
        return "; ".join(f"{member.address} {member.told()}" for member in self.members)

    def _is_whole(self) -> bool:
        hellos = [member.hello() for member in self.members]
        primaries = sum(bool(hello.get("isWritablePrimary")) for hello in hellos)
        return primaries == 1 and sum(bool(hello.get("secondary")) for hello in hellos) == len(hellos) - 1

    def _step_down(self) -> bool:
        try:
            with self.primary().client() as client:
                client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
        except ConnectionFailure:  # an older server closes the connection
            return True
        except OperationFailure:  # nobody has caught up yet
            return False
        return True


@contextmanager
def replica_set(
    count: int = 1, *options: str, election_milliseconds: int = ELECTION_MILLISECONDS
) -> Iterator[ReplicaSet]:
    """Yield a set of so many members, each in a folder of its own; they end with the block. `options` are mongod's."""
    with tempfile.TemporaryDirectory(prefix="twin-mongod-", ignore_cleanup_errors=True) as folder:
        name = f"twin{uuid4().hex[:8]}"
        members = [Member(port, Path(folder, str(port)), name, options) for port in free_ports(count)]
        try:
            for member in members:
                member.start()
            made = ReplicaSet(members, name, election_milliseconds)
            made.initiate()
            yield made
        finally:
            for member in members:
                member.stop()


@contextmanager
def replica_set_of_ours(
    count: int = 1, *options: str, election_milliseconds: int = ELECTION_MILLISECONDS
) -> Iterator[ReplicaSet]:
    """The same for a test that kills members or needs options; it skips where there is no mongod to start."""
    if program() is None:
        pytest.skip(NONE_OF_OURS)
    with replica_set(count, *options, election_milliseconds=election_milliseconds) as made:
        yield made


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server that tests may make databases in; a set of one member where it is ours to start."""
    if url := os.environ.get(URL):
        yield url
    elif program() is None:
        pytest.skip(NONE)
    else:
        with replica_set() as made:
            yield made.url("twin")


def database_url(server: str, name: str) -> str:
    """Return the URL of another database of a server; where it has a user, it says `authSource=`."""
    scheme, _, rest = server.partition("://")
    hosts, _, options = rest.partition("?")
    return f"{scheme}://{hosts.partition('/')[0]}/{name}" + (f"?{options}" if options else "")


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


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:] if log.exists() else "it has no log"
