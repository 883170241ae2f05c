"""What several flows survive: one of them killed, their number changed, one stopped while its stand-by works."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from benchmarks.load import Load
from benchmarks.processes import START_SECONDS, Process, Services
from benchmarks.spawn import POLL_SECONDS, throughout, wait_until
from benchmarks.targets import StoreTarget
from fakes.flow import post
from faults.conftest import Durations, Seen
from faults.table import fault
from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import Version
from twin_contracts.queues import DEFAULT_PARTITIONS, partition_of
from twin_contracts.records import RecordStatus
from twin_feature_stream.in_hand import IN_HAND
from twin_platform.features.open import read_feature_store
from twin_platform.features.port import FeatureStore
from twin_platform.log.open import open_event_log
from twin_platform.log.rabbitmq_link import HEARTBEAT_SECONDS
from twin_platform.service import REFUSED

WAIT = "20"
"""Milliseconds a document takes in a flow that is to have something in hand whenever it is looked at."""


@pytest.fixture
def load(services: Services) -> Load:
    return Load(1, StoreTarget(services.documents), services.ledger, rate=60, documents=100)


def flow(services: Services, index: int, count: int, name: str | None = None) -> Process:
    """Start one flow of so many."""
    name = name or f"flow {index} of {count}"
    return services.start_flow(name, FLOW_INDEX=str(index), FLOW_COUNT=str(count))


def waiting_flow(services: Services, name: str, heartbeat: float) -> Process:
    """Start the only flow, or its stand-by: one that has something in hand most of the time.

    Args:
        heartbeat: seconds; three of them are how long the broker waits for a process that holds still.
    """
    log = f"{services.url('log')}?heartbeat={heartbeat:g}"
    process = services.process(name, "-m", "benchmarks.waiting_flow", WAIT, FEATURE_STREAM_LOG_URL=log)
    return process.start().wait_for_state("running")


def put(services: Services, documents: Sequence[Raw]) -> None:
    for document in documents:
        services.ledger.begin(document.id, content_hash(document))
        services.documents.upsert(document)
        services.ledger.acknowledge(document.id, content_hash(document))


def owner(services: Services, index: int = 0) -> str | None:
    """Return who has what this flow has in hand."""
    stored = services.records.get(IN_HAND, str(index))
    return stored.record.owner if stored else None


def states(process: Process) -> list[str]:
    return [event["state"] for event in process.events() if event.get("event") == "flow"]


def one_for_each_partition(name: str) -> list[Raw]:
    chosen: dict[int, Raw] = {}
    number = 0
    while len(chosen) < DEFAULT_PARTITIONS:
        document = post(f"{name}-{number}", f"Text {number} of the {name}.")
        chosen.setdefault(partition_of(document.id, DEFAULT_PARTITIONS), document)
        number += 1
    return [chosen[partition] for partition in sorted(chosen)]


def indexed(features: FeatureStore, documents: Sequence[Raw]) -> list[bool]:
    records = features.records([document.id for document in documents], with_text=False)
    return [one.id in records and records[one.id].status is RecordStatus.INDEXED for one in documents]


@dataclass
class Watch:
    """What a reader has seen of every record's version, one look after the other."""

    newest: dict[DocumentId, Version] = field(default_factory=dict)
    fallen: list[str] = field(default_factory=list)
    """Records that were older than at the look before."""
    risen: int = 0

    def look(self, features: FeatureStore) -> None:
        for record in features.find_records(with_text=False):
            before = self.newest.get(record.document_id)
            if before is not None and record.version < before:
                self.fallen.append(f"{record.document_id}: {record.version} after {before}")
            self.risen += before is None or record.version > before
            self.newest[record.document_id] = record.version


@contextmanager
def watching(services: Services) -> Iterator[Watch]:
    """Look at all records, over and over, for as long as this lasts; a flow must be running."""
    watch, ended = Watch(), threading.Event()

    def run() -> None:
        with read_feature_store(services.url("features"), services.embedder.spec) as features:
            while not ended.wait(POLL_SECONDS):
                watch.look(features)

    with ThreadPoolExecutor(1, "watching") as thread:
        looking = thread.submit(run)
        try:
            yield watch
        finally:
            ended.set()
        looking.result()


def judge(services: Services, load: Load, seen: Seen, watch: Watch | None = None) -> None:
    """Let everything arrive, and assert that the promise was kept."""
    services.wait_until_quiet(240)
    verdict = services.verdict()
    seen(f"{load.written} writes: {verdict}")
    assert verdict.exact
    assert verdict.parked == 0
    if watch is not None:
        seen(f"a reader saw {watch.risen} versions come, {len(watch.fallen)} go back")
        assert watch.fallen == []


@fault(20, "kill one of several flow processes", expected="the others never stop, its restart goes on")
def test_one_of_four_flows_is_killed(services: Services, load: Load, seen: Seen, durations: Durations) -> None:
    services.start_cdc()
    flows = [flow(services, index, 4) for index in range(4)]
    victim, others = flows[2], [*flows[:2], flows[3]]
    for one in flows:
        one.wait_for_state("running")
    with load.running(), read_feature_store(services.url("features"), services.embedder.spec) as features:
        wait_until(lambda: all(owner(services, index) for index in range(4)), 60, lambda: victim.said)
        for kill in range(int(durations(ci=2, full=20))):
            documents = one_for_each_partition(f"kill-{kill}")
            theirs, its = [one for one in documents if documents.index(one) % 4 != 2], documents[2::4]
            victim.kill()
            put(services, documents)
            wait_until(lambda now=theirs: all(indexed(features, now)), 30, lambda: "the others stand still")  # type: ignore[misc]  # what this round wrote
            assert not any(indexed(features, its)), "somebody else read its queues"
            victim.start()
            wait_until(lambda now=its: all(indexed(features, now)), 60, lambda: victim.said)  # type: ignore[misc]  # the same
        owners = {owner(services, index) for index in range(4)}

    judge(services, load, seen)
    seen(f"the others were started {[one.starts for one in others]} times")
    assert len(owners) == 4
    assert all(one.starts == 1 and "degraded" not in states(one) for one in others)


@fault(21, "2 → 4 → 1 flow processes under load", expected="per-document order kept")
def test_the_number_of_flows_changes_under_load(
    services: Services, load: Load, seen: Seen, durations: Durations
) -> None:
    writes = int(durations(ci=120, full=3000))
    services.start_cdc()
    flows = [flow(services, index, 2).wait_for_state("running") for index in range(2)]
    with load.running(), watching(services) as watch:
        load.wait_for(writes)
        flows = changed_number(services, flows, 4)
        load.wait_for(writes)
        flows = changed_number(services, flows, 1)
        load.wait_for(writes)

    judge(services, load, seen, watch)


@fault(
    21,
    "8 → 16 partitions and 1 → 2 flows under load, events in the old queues",
    expected="per-document order kept, what was in the old queues comes again",
)
def test_the_number_of_partitions_grows_under_load(
    services: Services, load: Load, seen: Seen, durations: Durations
) -> None:
    writes, grown = int(durations(ci=120, full=3000)), {"LOG_PARTITIONS": str(2 * DEFAULT_PARTITIONS)}
    cdc, only = services.start_cdc(), flow(services, 0, 1).wait_for_state("running")
    with load.running(), watching(services) as watch:
        load.wait_for(writes)
        refused = refusal(services.start_flow("too early", **grown))
        only.terminate()
        load.wait_for(writes)
        in_the_way = undeclare(services)
        cdc.terminate()
        done = undeclare(services)
        services.log.close()
        services.log = open_event_log(services.url("log"), 2 * DEFAULT_PARTITIONS)
        services.start_cdc("cdc of 16", **grown)
        for index in range(2):
            services.start_flow(f"flow {index} of 16", FLOW_INDEX=str(index), FLOW_COUNT="2", **grown)
        load.wait_for(writes)
        late = refusal(services.start_flow("too late"))
        services.processes = [process for process in services.processes if process.alive]

    judge(services, load, seen, watch)
    seen(done.stdout.partition(";")[0])
    assert "was installed with 8 partitions and cannot be opened with 16" in refused
    assert "was installed with 16 partitions and cannot be opened with 8" in late
    assert (in_the_way.returncode, "a cdc runs" in in_the_way.stderr) == (3, True)
    assert (done.returncode, "the queues are deleted, and 0 events" in done.stdout) == (0, False)


def refusal(process: Process) -> str:
    """Return what a process says that refuses to work."""
    assert process.wait(START_SECONDS) == REFUSED
    return process.said


def undeclare(services: Services) -> subprocess.CompletedProcess[str]:
    """Do what the runbook says to be done between two numbers of partitions."""
    environment = services.process("undeclare").environment
    command = (sys.executable, "-m", "twin_cdc.undeclare")
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def changed_number(services: Services, flows: Sequence[Process], count: int) -> list[Process]:
    """Roll the new number out: who is new waits for the queues of those who still have the old one.

    The old ones end one by one, the last first; every second of them by a kill.
    """
    new = {index: flow(services, index, count).wait_for_state("running") for index in range(len(flows), count)}
    for index in reversed(range(len(flows))):
        if index % 2:
            flows[index].kill()
        else:
            flows[index].terminate()
        if index < count:
            new[index] = flow(services, index, count).wait_for_state("running")
    return [new[index] for index in range(count)]


@fault(
    22,
    "a flow process stopped for 3 minutes, its stand-by takes over, it continues",
    expected="nothing it writes is seen",
)
def test_a_stopped_flow_continues_behind_its_stand_by(
    services: Services, load: Load, seen: Seen, durations: Durations
) -> None:
    load.rate = 30
    heartbeat = durations(ci=3, full=HEARTBEAT_SECONDS)
    services.start_cdc()
    first = waiting_flow(services, "first", heartbeat)
    with load.running(), watching(services) as watch:
        wait_until(lambda: owner(services) is not None, 60, lambda: first.said)
        its = owner(services)
        stand_by = waiting_flow(services, "stand-by", heartbeat)
        load.wait_for(30)
        first.stop_signal()
        stopped = time.monotonic()
        wait_until(lambda: owner(services) != its, 120, lambda: stand_by.said)
        seen(f"taken over after {time.monotonic() - stopped:.0f} s")
        throughout(stopped + durations(ci=0, full=180) - time.monotonic(), lambda: stand_by.alive)
        first.continue_()
        wait_until(lambda: "degraded" in states(first), 60, lambda: f"it did not notice:\n{first.said}")
        load.wait_for(60)
        assert owner(services) != its, "it went on as if nothing had happened"
        stand_by.kill()
        wait_until(lambda: owner(services) == its, 60, lambda: first.said)
        load.wait_for(60)

    judge(services, load, seen, watch)
    assert first.starts == stand_by.starts == 1


@fault(
    20,
    "two processes of one flow started at once, killed at once, again and again",
    expected="one of them reads, whichever; lost 0, parked 0",
)
def test_two_of_one_index_settle(services: Services, load: Load, seen: Seen, durations: Durations) -> None:
    services.start_cdc()
    both = [services.process(name, "-m", "twin_feature_stream") for name in ("one", "the other")]
    stayed: list[bool] = []
    both[0].start().wait_for_state("running").terminate()  # the reader needs something to read
    with load.running(), watching(services) as watch:
        for _ in range(int(durations(ci=2, full=20))):
            for process in both:
                process.start()
            for process in both:
                process.wait_for_state("running")
            load.wait_for(120)
            reads = owner(services)
            load.wait_for(60)
            stayed.append(owner(services) == reads)
            for process in both:
                process.kill()
        both[0].start()

    judge(services, load, seen, watch)
    assert all(stayed), "they took it from each other"
