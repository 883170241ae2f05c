"""Every event log keeps the port's promises; what only a file can show stands below."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.conformance.log_contract import (
    LIVE_0,
    PARTITIONS,
    REFILL_LIMIT_BYTES,
    EventLogContract,
    consuming,
    deletion,
    eventually,
    numbers,
    publish_all,
    take,
)
from fakes.log import InMemoryEventLog
from twin_platform.log.errors import RightTaken
from twin_platform.log.port import EventLog
from twin_platform.log.sqlite import SqliteEventLog

PUBLISH_FOR_EVER = """
import itertools, pathlib, sys
from twin_contracts.documents import document_id_of
from twin_contracts.events import Cause, DocumentDeleted, Version
from twin_contracts.queues import Lane, Queue
from twin_platform.log.sqlite import SqliteEventLog

log = SqliteEventLog(pathlib.Path(sys.argv[1]), partitions=2)
log.declare()
window = []
for number in itertools.count():
    version = Version(seconds=number, increment=0)
    event = DocumentDeleted(document_id=document_id_of(str(number)), version=version, cause=Cause.LIVE)
    window.append((number, log.publish(Queue(0, Lane.LIVE), event)))
    if len(window) == 200:
        confirmed, confirmation = window.pop(0)
        confirmation.result()
        print(confirmed, flush=True)
"""

HOLD_FOR_EVER = """
import pathlib, sys
from twin_platform.log.sqlite import SqliteEventLog

with SqliteEventLog(pathlib.Path(sys.argv[1]), partitions=2).exclusive("cdc.active"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def running(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the program until the block kills it, at the latest at the block's end."""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class TestInMemoryEventLog(EventLogContract):
    @pytest.fixture
    def log(self) -> Iterator[EventLog]:
        with InMemoryEventLog(PARTITIONS, REFILL_LIMIT_BYTES) as log:
            yield log


class TestSqliteEventLog(EventLogContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "log.db"

    @pytest.fixture
    def log(self, path: Path) -> Iterator[EventLog]:
        with SqliteEventLog(path, PARTITIONS, REFILL_LIMIT_BYTES) as log:
            yield log

    def test_what_is_handed_out_still_waits(self, log: EventLog) -> None:
        log.declare()
        publish_all(log, LIVE_0, deletion(0), deletion(1))
        with consuming(log) as consumer:
            first, _ = take(consumer, LIVE_0, 2)
            waiting_before = log.waiting()

            consumer.acknowledge(LIVE_0, first.position)

            assert waiting_before == 2
            assert eventually(lambda: log.waiting() == 1)

    def test_what_was_not_acknowledged_survives_a_restart(self, path: Path) -> None:
        with SqliteEventLog(path, PARTITIONS) as log:
            log.declare()
            publish_all(log, LIVE_0, *map(deletion, range(3)))
            with consuming(log) as consumer:
                consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 2)[0].position)

        with SqliteEventLog(path, PARTITIONS) as log, consuming(log) as consumer:
            assert numbers(take(consumer, LIVE_0, 2)) == [1, 2]

    def test_confirmed_events_survive_a_killed_publisher(self, path: Path) -> None:
        with running(PUBLISH_FOR_EVER, path) as publisher:
            assert publisher.stdout is not None
            confirmed = [int(publisher.stdout.readline()) for _ in range(500)]

            publisher.kill()

            confirmed += [int(line) for line in publisher.stdout if line.endswith("\n")]
        with SqliteEventLog(path, PARTITIONS) as log, consuming(log) as consumer:
            assert numbers(take(consumer, LIVE_0, len(confirmed))) == confirmed

    def test_a_right_is_free_once_its_holder_is_killed(self, path: Path, log: EventLog) -> None:
        def is_taken() -> bool:
            try:
                with log.exclusive("cdc.active"):
                    return False
            except RightTaken:
                return True

        with running(HOLD_FOR_EVER, path) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert is_taken()

            holder.kill()

            assert eventually(lambda: not is_taken())
