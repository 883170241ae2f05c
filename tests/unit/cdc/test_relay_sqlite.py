"""The relay over the embedded stores: processes that are killed and stopped for real, and how soon a change is out."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from fakes.flow import eventually, post
from fakes.relay import outcome
from fakes.relay_process import Files, files_of
from twin_cdc.relay import Relay
from twin_contracts.queues import queues_of
from twin_platform.log.codec import decode
from twin_platform.log.port import Event
from twin_platform.records.positions import is_captured
from twin_platform.records.reemissions import open_reemissions

TESTS = Path(__file__).parents[2]


@contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "fakes.relay_process", str(folder)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TESTS)}) as running:
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def thread(relay: Relay) -> Iterator[None]:
    stop = threading.Event()
    running = threading.Thread(target=relay.run, args=(stop,))
    running.start()
    try:
        yield
    finally:
        stop.set()
        running.join(10.0)


def events(folder: Path) -> list[tuple[str, Event]]:
    with closing(sqlite3.connect(folder / "log.db", timeout=10.0)) as connection:
        return [(name, decode(body)) for name, body in connection.execute("SELECT queue, body FROM events")]


def is_published(folder: Path, count: int) -> bool:
    with closing(sqlite3.connect(folder / "log.db", timeout=10.0)) as connection:
        published: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    return published >= count


def is_quiet(files: Files) -> bool:
    return is_captured(files.documents, files.records) and not open_reemissions(files.records)


def test_processes_killed_in_the_first_snapshot_and_in_the_feed_lose_nothing(tmp_path: Path) -> None:
    with files_of(tmp_path) as files:
        files.documents.upsert(post("deleted", "first"))
        for number in range(120):
            files.documents.upsert(post(f"name {number}", "first"))
        for word in ("first", "second"):
            enough = files.log.waiting() + 20
            with process(tmp_path):
                for number in range(0, 120, 4):
                    files.documents.upsert(post(f"name {number}", f"beside the {word} process"))
                eventually(partial(is_published, tmp_path, enough))
            files.documents.delete(post("deleted", "").id)
            files.documents.upsert(post("name 1", f"after the {word} process"))

        with thread(files.relay()):
            eventually(lambda: is_quiet(files))

        queues = {queue.name: queue for queue in queues_of(files.log.partitions)}
        outcomes = outcome([(queues[name], event) for name, event in events(tmp_path)], files.log.partitions)
        assert outcomes == dict(files.documents.hashes(None, 1000))


def test_a_relay_waits_for_a_stopped_process_and_follows_it_at_once_when_it_is_dead(tmp_path: Path) -> None:
    with files_of(tmp_path) as files, process(tmp_path) as first:
        files.documents.upsert(post("a", "before"))
        eventually(lambda: is_quiet(files))  # stopped within a write it would hold the file's own lock
        first.send_signal(signal.SIGSTOP)
        second = files.relay()

        with thread(second):
            eventually(lambda: second.status.state == "waiting")
            files.documents.upsert(post("a", "while it is stopped"))
            first.kill()
            eventually(lambda: is_quiet(files) and second.status.state == "active")

    assert first.returncode == -signal.SIGKILL


def test_a_change_is_published_as_soon_as_it_is_committed_however_long_the_relay_rested(tmp_path: Path) -> None:
    with files_of(tmp_path) as files, thread(files.relay()):
        eventually(lambda: is_quiet(files) and not files.log.missing())
        took = list[float]()
        for number in range(6):
            more = files.log.waiting() + 1
            files.documents.upsert(post(f"name {number}", "a text"))
            committed = time.monotonic()
            eventually(partial(is_published, tmp_path, more))
            took.append(time.monotonic() - committed)

    assert min(took) < 0.1
