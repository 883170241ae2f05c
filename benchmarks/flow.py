"""What one flow process takes from RabbitMQ into Qdrant Edge, and what the publisher puts there, with confirms.

The embedder costs nothing, so that what is measured is ours. Beside the flow stands the pattern that it replaces:
`basic_get`, the same handlers, an upsert per item, an acknowledgement each; beside the publisher, a connection per
message. What each stage costs is of a run of its own, since counting costs time, too.
"""

import argparse
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest.mock import patch

from benchmarks import one_by_one
from benchmarks.broker import Broker, broker
from benchmarks.free_embedder import FreeEmbedder
from benchmarks.generated import article, post
from benchmarks.report import RESULTS, Row, report
from benchmarks.spawn import wait_until
from benchmarks.stages import Named, Stopwatch, Timed, TimedLog, timed_registry, written
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import Cause, DocumentChanged, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_contracts.records import RecordStatus
from twin_feature_stream import decode as decoding
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.stream import FeatureStream
from twin_platform.documents.open import open_document_store
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.port import FeatureStore
from twin_platform.features.store import PointFeatureStore
from twin_platform.log.codec import decode
from twin_platform.log.open import open_event_log
from twin_platform.log.port import EventLog
from twin_platform.records.open import open_record_store
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger

WINDOW = 1000
"""Unconfirmed events, as cdc's feed has them."""
POST_BYTES, ARTICLE_BYTES = 1024, 4096
PUBLISHED_GOAL, TIMES_GOAL = 3000, 40
TAKEN_GOALS = {"posts of 1 KB": 1500, "articles of 4 KB": 500}
SINGLE_EVENTS = 200
DEADLINE_SECONDS = 120.0
OF_THE_RECORDS = {"get": "tell what is in hand", "put": "tell what is in hand"}
OF_THE_ENGINE: Named = {"write": written, "retrieve": "look up records", "scroll": "look up chunks", "flush": "flush"}
OF_THE_FEATURES = {"apply": "order the epoch's writes"}


@dataclass(frozen=True)
class Load:
    """Documents of one kind and size."""

    name: str
    documents: Sequence[Raw]

    def events(self) -> list[DocumentChanged]:
        """Return the live events that bring them."""
        now = SystemClock().now()
        versions = (Version(seconds=int(now.timestamp()), increment=number) for number in range(len(self.documents)))
        return [
            DocumentChanged(
                document_id=document.id,
                version=version,
                cause=Cause.LIVE,
                committed_at=now,
                content_hash=content_hash(document),
                size=len(document.text.encode()),
                after=document,
            )
            for document, version in zip(self.documents, versions, strict=True)
        ]


def publish(log: EventLog, events: Sequence[DocumentChanged]) -> float:
    """Publish with a window of unconfirmed events; return confirmed events a second."""
    confirmations: list[Future[None]] = []
    began = time.perf_counter()
    for number, event in enumerate(events):
        if number >= WINDOW:
            confirmations[number - WINDOW].result(DEADLINE_SECONDS)
        queue = Queue(partition_of(event.document_id, log.partitions), Lane.LIVE)
        confirmations.append(log.publish(queue, event))
    for confirmation in confirmations:
        confirmation.result(DEADLINE_SECONDS)
    return len(events) / (time.perf_counter() - began)


@contextmanager
def flow(url: str, folder: Path, watch: Stopwatch | None) -> Iterator[tuple[FeatureStream, FeatureStore]]:
    """Yield a flow over new stores and the log, and the feature store that it writes to."""
    embedder, clock = FreeEmbedder(), SystemClock()

    def timed(target: object, stages: Named) -> Any:  # noqa: ANN401 - stands for the target
        return Timed(target, watch, stages) if watch else target

    engine = timed(EdgeEngine(folder / "vectors", embedder.spec), OF_THE_ENGINE)
    with (
        open_document_store(f"sqlite://{folder}/documents.db", clock) as documents,
        open_record_store(f"sqlite://{folder}/records.db") as records,
        open_event_log(url) as log,
        PointFeatureStore(engine) as features,
    ):
        registry = build_registry(embedder)
        stream = FeatureStream(
            documents=documents,
            records=timed(records, OF_THE_RECORDS),
            log=cast("EventLog", TimedLog(log, watch, {})) if watch else log,
            features=timed(features, OF_THE_FEATURES),
            registry=timed_registry(registry, watch) if watch else registry,
            clock=clock,
            logger=JsonLogger("flow"),
        )
        yield stream, features


def take(url: str, documents: int, watch: Stopwatch | None = None) -> tuple[float, float]:
    """Let a flow take so many documents; return the seconds until all are searchable, and its processor seconds."""
    stop, told = threading.Event(), 0

    def all_are_told() -> bool:
        nonlocal told
        told += len(news.take())
        return told >= documents

    with (
        TemporaryDirectory(prefix="twin-flow-") as folder,
        flow(url, Path(folder), watch) as (stream, features),
        features.listen() as news,
    ):
        thread = threading.Thread(target=stream.run, args=(stop,))
        gc.collect()
        gc.freeze()  # what this program holds would be looked through again and again in the flow's time
        processor, began = time.process_time(), time.perf_counter()
        thread.start()
        try:
            wait_until(all_are_told, DEADLINE_SECONDS, lambda: f"{told} of {documents} are searchable")
            seconds, processor = time.perf_counter() - began, time.process_time() - processor
        finally:
            stop.set()
            thread.join()
        searchable = features.count_records(RecordStatus.INDEXED)
    if searchable != documents:
        message = f"{searchable} of {documents} are searchable"
        raise RuntimeError(message)
    return seconds, processor


def published(server: Broker, events: int) -> list[Row]:
    """Measure the publisher, and a connection per message."""
    load = Load("", [article(number, ARTICLE_BYTES) for number in range(events)]).events()
    with open_event_log(server.url()) as log:
        log.declare()
        rate = publish(log, load)
    single = one_by_one.published(server.url(), Queue(0, Lane.LIVE), load[:SINGLE_EVENTS])
    server.wipe()
    beside = "a connection per message"
    times = rate / single
    return [
        Row(f"{beside}: events of 4 KB confirmed", single, "events/s"),
        Row(
            "publisher: events of 4 KB confirmed",
            rate,
            "events/s",
            against=f"{beside}: events of 4 KB confirmed",
            ratio=times,
            goal=f">= {PUBLISHED_GOAL} and {TIMES_GOAL}x",
            met=rate >= PUBLISHED_GOAL and times >= TIMES_GOAL,
        ),
    ]


def carried(server: Broker, load: Load) -> list[Row]:
    """Measure a flow, the pattern beside it, and what each stage of the flow costs."""
    events, goal = load.events(), TAKEN_GOALS[load.name]

    def waiting(count: int) -> str:
        server.wipe()
        with open_event_log(server.url()) as log:
            log.declare()
            publish(log, events[:count])
        return server.url()

    with TemporaryDirectory(prefix="twin-flow-") as folder:
        single = one_by_one.taken(server.url(), Path(folder), events[: len(events) // 10])
    seconds, processor = take(waiting(len(events)), len(events))
    rate = len(events) / seconds
    beside = f"basic_get, an upsert per item: {load.name}"
    rows = [
        Row(beside, single, "documents/s"),
        Row(
            f"flow: {load.name}",
            rate,
            "documents/s",
            against=beside,
            ratio=rate / single,
            goal=f">= {goal}",
            met=rate >= goal,
        ),
        Row(f"flow, {load.name}: processor time", processor / len(events) * 1e6, "us/document"),
        Row(f"flow, {load.name}: in a second of one core", len(events) / processor, "documents"),
        Row(f"flow, {load.name}: processes that wanted the processor in that minute", os.getloadavg()[0], "processes"),
    ]
    return rows + stages(waiting(len(events) // 2), load.name, len(events) // 2)


def stages(url: str, name: str, documents: int) -> list[Row]:
    """Return what each stage costs, and what the rest does: the broker's client, threads, Bytewax."""
    watch = Stopwatch()
    with patch.object(decoding, "decode", watch.timed("decode", decode)):
        _, processor = take(url, documents, watch)
    costs = sorted(watch.seconds.items(), key=lambda stage: -stage[1])
    costs.append(("the rest of the process", processor - sum(watch.seconds.values())))
    return [Row(f"flow, {name}: {stage}", cost / documents * 1e6, "us/document") for stage, cost in costs]


def main() -> int:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--articles", type=int, default=4_000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args()
    posts = Load("posts of 1 KB", [post(number, POST_BYTES) for number in range(options.posts)])
    articles = Load("articles of 4 KB", [article(number, ARTICLE_BYTES) for number in range(options.articles)])
    with broker() as server:
        rows = published(server, options.events) + carried(server, posts) + carried(server, articles)
    report("flow", rows, options.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
