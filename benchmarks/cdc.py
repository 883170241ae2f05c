"""What cdc carries: live events a second through the relay, and the memory of a re-emission that is interrupted twice.

The documents come from MongoDB's adapter over pre-recorded batches: a stand-in for the database's handle gives out
change events and snapshot rows in the shapes of the transcripts in tests/data/mongodb, as fast as it is asked. The log
takes everything and confirms at once. So what is measured is ours: reading, parsing, hashing, publishing, positions.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Self, cast

import psutil
from bson.codec_options import CodecOptions
from bson.timestamp import Timestamp
from pymongo.database import Database

from benchmarks.report import Row, report
from twin_cdc.metrics import METRICS
from twin_cdc.relay import Relay
from twin_contracts.documents import AuthorRef, RawArticle, Source, document_id_of
from twin_contracts.queues import DEFAULT_PARTITIONS, Queue
from twin_platform.documents.mongo import MongoDocumentStore
from twin_platform.documents.mongo_bodies import stored_of
from twin_platform.log.port import Confirmation, Consumer, Event
from twin_platform.mongo import Stored
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import POSITIONS, SOURCE
from twin_platform.records.reemissions import ask_reemission, open_reemissions
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.prometheus import PrometheusMetrics

TEXT_BYTES = 4096
LIVE_EVENTS = 50_000
ROWS = 200_000
INTERRUPTED_AT = (0.3, 0.7)
RATE_GOAL = 5000
MEMORY_GOAL = 300
FIRST_SECOND = 1_700_000_000


@dataclass
class Recording:
    """The handle of a database that holds `rows` documents, all of one text, and whose stream has `events` updates."""

    rows: int
    events: int
    name: str = "twin"
    codec_options: CodecOptions[Stored] = field(default_factory=lambda: CodecOptions(tz_aware=True))

    def __post_init__(self) -> None:
        """Make the one document that all of them are."""
        text = "The mill of Kelmar ground rye for the bakers of the valley. " * (TEXT_BYTES // 60)
        article = RawArticle(
            id=document_id_of("0"),
            author=AuthorRef.of("Mira Sample"),
            source=Source(platform="blog"),
            title="The mill",
            text=text,
        )
        self._stored = stored_of(article, SystemClock().now())
        self.client = self

    def get_database(self, *_: object, **__: object) -> "Recording":
        """Return this: one database stands for all."""
        return self

    def get_collection(self, *_: object, **__: object) -> "Recording":
        """Return this: nothing is asked of a collection."""
        return self

    def find_one(self, *_: object, **__: object) -> Stored:
        """Return the oplog's oldest entry."""
        return {"ts": Timestamp(FIRST_SECOND, 1)}

    def row(self, index: int) -> Stored:
        """Return the document whose id has this place in the order."""
        return self._stored | {"_id": f"00000000-0000-5000-8000-{index:012x}"}

    def command(self, command: str, *_: object, **options: Any) -> Stored:  # noqa: ANN401 - as the driver's
        """Answer `hello`, and `find` by the next rows."""
        now = Timestamp(FIRST_SECOND, self.events + 1)
        if command == "hello":
            return {"lastWrite": {"majorityOpTime": {"ts": now}}}
        after = options["filter"]["_id"].get("$gt")
        first = 0 if after is None else int(after[-12:], 16) + 1
        rows = [self.row(index) for index in range(first, min(first + options["limit"], self.rows))]
        return {"cursor": {"firstBatch": rows, "id": 0, "atClusterTime": now}}

    def watch(self, *_: object, start_after: Mapping[str, str] | None = None, **__: object) -> "RecordedStream":
        """Open the stream after a token."""
        return RecordedStream(self, start_after)


class RecordedStream:
    """A change stream that always has its next event ready, until the last one."""

    def __init__(self, recording: Recording, start_after: Mapping[str, str] | None) -> None:
        self._recording = recording
        self._next = 1 if start_after is None else int(start_after["_data"][10:18], 16) + 1
        self.resume_token = start_after or _token(0)
        self._quiet = threading.Event()

    def try_next(self) -> Mapping[str, Any] | None:
        """Return the next event; None after the last one, a moment later."""
        if self._next > self._recording.events:
            self._quiet.wait(0.05)
            return None
        stored, at = self._recording.row(self._next), self._next
        self._next += 1
        self.resume_token = _token(at)
        return {
            "_id": self.resume_token,
            "operationType": "update",
            "clusterTime": Timestamp(FIRST_SECOND, at),
            "fullDocument": stored,
            "documentKey": {"_id": stored["_id"]},
            "ns": {"db": "twin", "coll": "documents"},
        }

    def close(self) -> None:
        """There is nothing to release."""


def _token(at: int) -> dict[str, str]:
    return {"_data": (b"\x82" + FIRST_SECOND.to_bytes(4) + at.to_bytes(4) + b"\x2b").hex().upper()}


class NullLog:
    """Takes everything, confirms at once, keeps nothing but the count."""

    partitions = DEFAULT_PARTITIONS

    def __init__(self) -> None:
        self.published = 0

    def publish(self, queue: Queue, event: Event) -> Confirmation:  # noqa: ARG002 - the port's
        """Count, and confirm at once."""
        self.published += 1
        done: Confirmation = Future()
        done.set_result(None)
        return done

    def missing(self) -> tuple[Queue, ...]:
        """Return none: every queue is there."""
        return ()

    def declare(self) -> None:
        """Every queue is there."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002 - the port's
        """Return a right that nobody else wants."""
        return nullcontext()

    def consume(self, queues: object) -> Consumer:
        """Refuse: a relay reads nothing."""
        message = f"{queues} are read, of a log that keeps nothing"
        raise AssertionError(message)

    def waiting(self) -> int:
        """Return 0: nothing is kept."""
        return 0

    def compact(self) -> bool:
        """Return False: there is nothing to give back."""
        return False

    def close(self) -> None:
        """There is nothing to release."""

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


@contextmanager
def relaying(recording: Recording, log: NullLog, records: RecordStore) -> Iterator[None]:
    """Run a relay in a thread of its own."""
    clock, stop = SystemClock(), threading.Event()
    documents = MongoDocumentStore(cast("Database[Stored]", recording), clock)
    metrics = PrometheusMetrics(METRICS)
    relay = Relay(documents, log, records, clock, JsonLogger("cdc", StringIO()), metrics=metrics)
    thread = threading.Thread(target=relay.run, args=(stop,), name="relay")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wait_until(log: NullLog, published: int) -> None:
    """Wait until the log has taken so many events."""
    while log.published < published:
        time.sleep(0.01)


def live_rate(folder: Path) -> float:
    """Return how many live events a second the relay publishes, its first tenth left out."""
    log = NullLog()
    with open_record_store(f"sqlite://{folder}/live.db") as records:
        with relaying(Recording(0, 0), NullLog(), records):  # the first start's own re-emission, of nothing
            while not _is_settled(records):
                time.sleep(0.01)
        with relaying(Recording(0, LIVE_EVENTS), log, records):
            wait_until(log, LIVE_EVENTS // 10)
            begin, began = log.published, time.perf_counter()
            wait_until(log, LIVE_EVENTS)
            return (log.published - begin) / (time.perf_counter() - began)


def reemission(folder: Path) -> tuple[float, float, int]:
    """Re-emit every row, interrupted twice; return rows a second, the most memory in MB, and the events published."""
    log, process, most = NullLog(), psutil.Process(), 0.0
    with open_record_store(f"sqlite://{folder}/refill.db") as records:
        ask_reemission(records, SystemClock(), "the benchmark asks")
        began = time.perf_counter()
        for share in (*INTERRUPTED_AT, None):
            with relaying(Recording(ROWS, 0), log, records):
                while log.published < ROWS * share if share else open_reemissions(records):
                    most = max(most, process.memory_info().rss / 1e6)
                    time.sleep(0.05)
        return ROWS / (time.perf_counter() - began), most, log.published


def _is_settled(records: RecordStore) -> bool:
    position = records.get(POSITIONS, SOURCE)
    return position is not None and position.record.owed is None and not open_reemissions(records)


def main() -> int:
    """Measure both and report."""
    print("the store: pre-recorded batches behind MongoDB's adapter, no server")
    with tempfile.TemporaryDirectory(prefix="twin-cdc-") as folder:
        rate = live_rate(Path(folder))
        rows, most, published = reemission(Path(folder))
    report(
        "cdc",
        [
            Row("live events through the relay", rate, "events/s", goal=f">= {RATE_GOAL}", met=rate >= RATE_GOAL),
            Row("rows of a re-emission", rows, "rows/s"),
            Row("events published for them, interrupted twice", published, "events", "rows", published / ROWS),
            Row("most memory of the process", most, "MB", goal=f"< {MEMORY_GOAL}", met=most < MEMORY_GOAL),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
