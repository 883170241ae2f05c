"""Growing by processes, on a real RabbitMQ: who reads which queues, who stands by, and how two of one index settle."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from benchmarks.broker import Broker
from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.flow import DEADLINE, NoLogger, changed, eventually, post
from fakes.records import InMemoryRecordStore
from integration.broker import broker
from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw
from twin_contracts.queues import DEFAULT_PARTITIONS, Lane, Queue, partition_of, queues_of
from twin_contracts.records import RecordStatus
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.in_hand import IN_HAND
from twin_feature_stream.stream import FeatureStream
from twin_platform.log.open import open_event_log
from twin_platform.log.port import Consumer, Delivery, EventLog
from twin_platform.telemetry.clock import SystemClock

__all__ = ["broker"]

PLENTY = 10**9
QUEUES = queues_of(DEFAULT_PARTITIONS)


@dataclass
class Installation:
    """A declared log of its own, and stores in memory that all flows share."""

    url: str
    log: EventLog
    features: InMemoryFeatureStore = field(default_factory=InMemoryFeatureStore)
    records: InMemoryRecordStore = field(default_factory=InMemoryRecordStore)

    def fill(self, count: int) -> None:
        """Publish so many events into each queue."""
        events = [changed(post(str(number), f"Text {number}."), number) for number in range(count)]
        for confirmation in [self.log.publish(queue, event) for queue in QUEUES for event in events]:
            confirmation.result(DEADLINE)

    def publish(self, documents: Sequence[Raw], edition: int = 1) -> None:
        """Publish the documents, each in its own partition."""
        for document in documents:
            queue = Queue(partition_of(document.id, DEFAULT_PARTITIONS), Lane.LIVE)
            self.log.publish(queue, changed(document, edition)).result(DEADLINE)

    def flow(self, log: EventLog, index: int, count: int) -> FeatureStream:
        """Return one flow of so many, not running."""
        return FeatureStream(
            documents=InMemoryDocumentStore(SettableClock()),
            records=self.records,
            log=log,
            features=self.features,
            registry=build_registry(HashEmbedder()),
            clock=SystemClock(),
            logger=NoLogger(),
            flow_index=index,
            flow_count=count,
            flush_seconds=0.0,
        )

    @contextmanager
    def running(self, index: int, count: int) -> Iterator[FeatureStream]:
        """Run one flow of so many over connections of its own, as a process does."""
        stop = threading.Event()
        with open_event_log(self.url) as log:
            flow = self.flow(log, index, count)
            thread = threading.Thread(target=flow.run, args=(stop,))
            thread.start()
            try:
                yield flow
            finally:
                stop.set()
                thread.join(DEADLINE)
        assert not thread.is_alive(), "the flow did not stop"

    def indexed(self) -> set[DocumentId]:
        """Return the documents that are in the snapshots."""
        return {record.document_id for record in self.features.find_records(status=RecordStatus.INDEXED)}


@pytest.fixture
def installation(broker: Broker) -> Iterator[Installation]:
    broker.wipe()
    with open_event_log(broker.url()) as log:
        log.declare()
        yield Installation(broker.url(), log)


@dataclass
class Reader:
    """One process's reading of its queues, by the assignment of the flow."""

    consumer: Consumer
    queues: Sequence[Queue]
    read: dict[Queue, list[Delivery]] = field(default_factory=dict)

    def look(self) -> int:
        """Take what has come; return how much it is by now."""
        for queue in self.queues:
            taken = self.consumer.take(queue, 1000, PLENTY)
            if taken:
                self.read.setdefault(queue, []).extend(taken)
        return sum(map(len, self.read.values()))

    def numbers(self, queue: Queue) -> list[int]:
        """Return what was read of a queue, in order."""
        return [delivery.headers.version.increment for delivery in self.read.get(queue, []) if delivery.headers.version]


@contextmanager
def reading(installation: Installation, index: int, count: int) -> Iterator[Reader]:
    with open_event_log(installation.url) as log:
        queues = installation.flow(log, index, count).queues()
        consumer = log.consume(queues)
        try:
            yield Reader(consumer, queues)
        finally:
            consumer.close()


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_flows_read_every_queue_and_each_only_its_own(installation: Installation, count: int) -> None:
    installation.fill(10)
    with ExitStack() as stack:
        readers = [stack.enter_context(reading(installation, index, count)) for index in range(count)]

        eventually(lambda: sum(reader.look() for reader in readers) == 10 * len(QUEUES))

        for index, reader in enumerate(readers):
            assert reader.read.keys() == {queue for queue in QUEUES if queue.partition % count == index}
            assert all(reader.numbers(queue) == list(range(10)) for queue in reader.read)


def test_a_stand_by_gets_nothing_before_the_other_ends_and_then_what_that_one_had_first(
    installation: Installation,
) -> None:
    with ExitStack() as ending:
        first = ending.enter_context(reading(installation, 0, 1))
        with reading(installation, 0, 1) as stand_by:
            installation.fill(10)
            eventually(lambda: first.look() == 10 * len(QUEUES))
            for queue in QUEUES:
                first.consumer.acknowledge(queue, first.read[queue][3].position)
            while_it_ran = stand_by.look()
            ending.close()

            eventually(lambda: stand_by.look() == 6 * len(QUEUES))

            assert while_it_ran == 0
            assert all(stand_by.numbers(queue) == [4, 5, 6, 7, 8, 9] for queue in QUEUES)


def test_a_grown_number_of_flows_gets_each_queue_as_its_reader_ends(installation: Installation) -> None:
    installation.fill(5)
    with ExitStack() as ending:
        old = [ending.enter_context(reading(installation, index, 2)) for index in range(2)]
        eventually(lambda: sum(reader.look() for reader in old) == 5 * len(QUEUES))
        with ExitStack() as stack:
            new = [stack.enter_context(reading(installation, index, 4)) for index in range(4)]
            before = sum(reader.look() for reader in new)
            old[0].consumer.close()
            eventually(lambda: new[0].look() + new[2].look() == 5 * len(QUEUES) // 2)
            others = new[1].look() + new[3].look()
            old[1].consumer.close()

            eventually(lambda: sum(reader.look() for reader in new) == 5 * len(QUEUES))

            assert (before, others) == (0, 0)
            assert all(reader.numbers(queue) == list(range(5)) for reader in new for queue in reader.queues)


def test_two_flows_of_one_index_settle_without_loss_and_accuse_nobody(installation: Installation) -> None:
    """One that still has two flows in its settings and one that has a single one are both 0, and both read."""
    documents = [post(f"post-{number}", f"Text {number}.") for number in range(400)]
    half = len(documents) // 2
    with installation.running(0, 2) as of_two, installation.running(0, 1) as only:
        eventually(lambda: of_two.status.state == only.status.state == "running")
        installation.publish(documents[:half])
        eventually(lambda: len(installation.indexed()) == half)
        installation.publish(documents[half:], edition=2)
        eventually(lambda: len(installation.indexed()) == len(documents))
        eventually(lambda: of_two.status.state == only.status.state == "running")

    stored = installation.records.get(IN_HAND, "0")
    assert stored is not None
    assert stored.record.suspects == {}
    assert installation.log.waiting() == 0
