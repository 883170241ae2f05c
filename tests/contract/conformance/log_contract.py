"""What every event log does. Bound to an adapter by a `log` fixture."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain

import pytest

from twin_contracts.documents import AuthorRef, RawPost, Source, content_hash, document_id_of
from twin_contracts.events import Cause, DocumentChanged, DocumentDeleted, Purge, Version
from twin_contracts.queues import Lane, Queue, queues_of
from twin_platform.log.codec import decode, headers_of
from twin_platform.log.errors import LogUnavailable, QueueMissing, RightTaken
from twin_platform.log.port import Confirmation, Consumer, Delivery, Event, EventLog

PARTITIONS = 2
REFILL_LIMIT_BYTES = 32 * 1024
LIVE_0, LIVE_1 = Queue(0, Lane.LIVE), Queue(1, Lane.LIVE)
REFILL_0, REFILL_1 = Queue(0, Lane.REFILL), Queue(1, Lane.REFILL)
DEADLINE_SECONDS = 10.0
LATE_SECONDS = 0.3
PLENTY = 10**9


def deletion(number: int) -> DocumentDeleted:
    """Return a small event that tests tell apart by its number."""
    return DocumentDeleted(
        document_id=document_id_of(str(number)), version=Version(seconds=number, increment=0), cause=Cause.LIVE
    )


def post(number: int, characters: int) -> DocumentChanged:
    """Return an event that carries a post of this length."""
    document = RawPost(
        id=document_id_of(str(number)),
        author=AuthorRef.of("Ada"),
        source=Source(platform="test"),
        text="x" * characters,
        committed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return DocumentChanged(
        document_id=document.id,
        version=Version(seconds=number, increment=0),
        cause=Cause.REFILL,
        content_hash=content_hash(document),
        size=characters,
        after=document,
    )


def claim_check(number: int, size: int) -> DocumentChanged:
    """Return an event whose document of `size` bytes stayed in the store."""
    return DocumentChanged(
        document_id=document_id_of(str(number)),
        version=Version(seconds=number, increment=0),
        cause=Cause.LIVE,
        size=size,
    )


def number_of(delivery: Delivery) -> int:
    event = decode(delivery.body)
    return event.before.seconds if isinstance(event, Purge) else event.version.seconds


def numbers(deliveries: Iterable[Delivery]) -> list[int]:
    return [number_of(delivery) for delivery in deliveries]


def publish_all(log: EventLog, queue: Queue, *events: Event) -> None:
    """Publish and wait for every confirmation."""
    for confirmation in [log.publish(queue, event) for event in events]:
        confirmation.result(DEADLINE_SECONDS)


def fill(log: EventLog, queue: Queue) -> list[Confirmation]:
    """Publish posts until the queue confirms no more: all but the last are confirmed."""
    confirmations = [log.publish(queue, post(0, characters=10_000))]
    while confirmations[-1] in wait(confirmations[-1:], LATE_SECONDS).done:
        confirmations[-1].result()
        confirmations.append(log.publish(queue, post(len(confirmations), characters=10_000)))
    return confirmations


def eventually(holds: Callable[[], bool]) -> bool:
    """Return whether it holds before the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def batches(
    consumer: Consumer, queue: Queue, count: int, limit: int = 256, budget: int = PLENTY
) -> list[list[Delivery]]:
    """Take until `count` events came; a log may hand them out in several batches."""
    taken: list[list[Delivery]] = []

    def enough() -> bool:
        taken.append(consumer.take(queue, limit, budget))
        return sum(map(len, taken)) >= count

    assert eventually(enough), f"only {[*map(numbers, taken)]} came"
    return [batch for batch in taken if batch]


def take(consumer: Consumer, queue: Queue, count: int) -> list[Delivery]:
    """Take exactly `count` events."""
    taken: list[Delivery] = []

    def enough() -> bool:
        taken.extend(consumer.take(queue, count - len(taken), PLENTY))
        return len(taken) == count

    assert eventually(enough), f"only {numbers(taken)} came"
    return taken


def consuming(log: EventLog) -> closing[Consumer]:
    return closing(log.consume(queues_of(PARTITIONS)))


class EventLogContract:
    """The `log` fixture gives an empty log: two partitions, nothing declared, refill queues full at 32 KiB."""

    @pytest.fixture
    def declared(self, log: EventLog) -> EventLog:
        log.declare()
        return log

    @pytest.fixture
    def consumer(self, declared: EventLog) -> Iterator[Consumer]:
        with consuming(declared) as consumer:
            yield consumer

    # Queues

    def test_a_new_log_misses_every_queue_until_they_are_declared(self, log: EventLog) -> None:
        missing_before = log.missing()

        log.declare()

        assert (set(missing_before), log.missing()) == (set(queues_of(PARTITIONS)), ())

    def test_declaring_again_keeps_what_waits(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, deletion(1))

        declared.declare()

        assert numbers(take(consumer, LIVE_0, 1)) == [1]

    def test_publishing_to_a_missing_queue_fails(self, log: EventLog) -> None:
        confirmation = log.publish(LIVE_0, deletion(1))

        assert isinstance(confirmation.exception(DEADLINE_SECONDS), QueueMissing)

    def test_consuming_a_missing_queue_is_refused(self, log: EventLog) -> None:
        with pytest.raises(QueueMissing):
            log.consume([LIVE_0])

    # Order and content

    def test_a_queue_keeps_its_order(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(1000)))

        arrived: list[int] = []
        while len(arrived) < 1000:
            taken = take(consumer, LIVE_0, 250)  # no log hands out everything before something is acknowledged
            consumer.acknowledge(LIVE_0, taken[-1].position)
            arrived += numbers(taken)
        assert arrived == list(range(1000))

    @pytest.mark.parametrize(
        "event", [post(7, 100), claim_check(7, 100_000), deletion(7), Purge(before=Version(seconds=7, increment=3))]
    )
    def test_an_event_arrives_as_it_was_published(self, declared: EventLog, consumer: Consumer, event: Event) -> None:
        publish_all(declared, LIVE_0, event)

        [delivery] = take(consumer, LIVE_0, 1)

        assert (decode(delivery.body), delivery.headers, delivery.queue) == (event, headers_of(event), LIVE_0)

    def test_no_queue_waits_for_another(self, declared: EventLog, consumer: Consumer) -> None:
        for number, queue in enumerate(queues_of(PARTITIONS)):
            publish_all(declared, queue, deletion(number))

        assert [numbers(take(consumer, queue, 1)) for queue in reversed(queues_of(PARTITIONS))] == [[3], [2], [1], [0]]

    # Peek, limit, budget

    def test_an_empty_queue_has_nothing_to_peek_at(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_1, deletion(1))

        assert consumer.peek_cost(LIVE_0) is None

    def test_peeking_tells_the_cost_and_hands_out_nothing(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, deletion(1))

        assert eventually(lambda: consumer.peek_cost(LIVE_0) is not None)
        cost = consumer.peek_cost(LIVE_0)
        [delivery] = take(consumer, LIVE_0, 1)
        assert cost == len(delivery.body) == delivery.cost

    def test_a_claim_check_costs_its_documents_size(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, claim_check(1, size=5_000_000))

        assert eventually(lambda: consumer.peek_cost(LIVE_0) == 5_000_000)

    def test_a_batch_stays_within_its_limit(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(5)))

        taken = batches(consumer, LIVE_0, count=5, limit=2)

        assert max(map(len, taken)) <= 2
        assert numbers(chain.from_iterable(taken)) == [0, 1, 2, 3, 4]

    def test_a_batch_stays_within_its_budget(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, *(claim_check(number, size=1000) for number in range(5)))

        taken = batches(consumer, LIVE_0, count=5, budget=2999)

        assert max(map(len, taken)) <= 2
        assert numbers(chain.from_iterable(taken)) == [0, 1, 2, 3, 4]

    def test_an_event_above_the_budget_is_not_handed_out(self, declared: EventLog, consumer: Consumer) -> None:
        publish_all(declared, LIVE_0, claim_check(1, size=1000), claim_check(2, size=1))
        assert eventually(lambda: consumer.peek_cost(LIVE_0) == 1000)

        taken = consumer.take(LIVE_0, 10, budget=999)

        assert taken == []
        assert numbers(take(consumer, LIVE_0, 2)) == [1, 2]

    def test_what_is_handed_out_is_not_counted_as_read_ahead(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(3)))
        with consuming(declared) as consumer:
            take(consumer, LIVE_0, 1)
            ahead = consumer.prefetched()
            take(consumer, LIVE_0, 2)

            assert 0 <= ahead <= 2
            assert consumer.prefetched() == 0

    # Acknowledging

    def test_what_was_not_acknowledged_comes_back_first_and_in_order(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(3)))
        with consuming(declared) as consumer:
            assert numbers(take(consumer, LIVE_0, 2)) == [0, 1]

        publish_all(declared, LIVE_0, deletion(3))

        with consuming(declared) as consumer:
            assert numbers(take(consumer, LIVE_0, 4)) == [0, 1, 2, 3]

    def test_acknowledging_releases_everything_up_to_it(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(4)))
        with consuming(declared) as consumer:
            consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 3)[1].position)

        with consuming(declared) as consumer:
            assert numbers(take(consumer, LIVE_0, 2)) == [2, 3]

    def test_acknowledging_again_or_an_older_position_changes_nothing(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(4)))
        with consuming(declared) as consumer:
            taken = take(consumer, LIVE_0, 4)
            for delivery in (taken[2], taken[2], taken[0]):
                consumer.acknowledge(LIVE_0, delivery.position)

        with consuming(declared) as consumer:
            assert numbers(take(consumer, LIVE_0, 1)) == [3]

    def test_a_position_of_an_earlier_consumer_is_ignored(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, *map(deletion, range(2)))
        with consuming(declared) as consumer:
            stale = take(consumer, LIVE_0, 2)[1].position

        with consuming(declared) as consumer:
            consumer.acknowledge(LIVE_0, stale)

        with consuming(declared) as consumer:
            assert numbers(take(consumer, LIVE_0, 2)) == [0, 1]

    def test_acknowledging_one_queue_leaves_the_others(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, deletion(0))
        publish_all(declared, REFILL_0, deletion(1))
        publish_all(declared, LIVE_0, deletion(2))
        with consuming(declared) as consumer:
            consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 2)[1].position)

        with consuming(declared) as consumer:
            assert numbers(take(consumer, REFILL_0, 1)) == [1]

    def test_events_wait_until_they_are_acknowledged(self, declared: EventLog) -> None:
        publish_all(declared, LIVE_0, deletion(0), deletion(1))
        assert eventually(lambda: declared.waiting() == 2)

        with consuming(declared) as consumer:
            consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 2)[0].position)

        assert eventually(lambda: declared.waiting() == 1)
        with consuming(declared) as consumer:
            consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 1)[0].position)
        assert eventually(lambda: declared.waiting() == 0)

    # A full refill queue

    def test_a_full_refill_queue_confirms_when_there_is_room(self, declared: EventLog) -> None:
        confirmations = fill(declared, REFILL_0)

        with consuming(declared) as consumer:
            arrived: set[int] = set()
            while len(arrived) < len(confirmations):
                [delivery] = take(consumer, REFILL_0, 1)
                consumer.acknowledge(REFILL_0, delivery.position)
                arrived.add(number_of(delivery))

        confirmations[-1].result(DEADLINE_SECONDS)
        assert arrived == set(range(len(confirmations)))

    def test_a_full_refill_queue_delays_no_other_queue(self, declared: EventLog) -> None:
        late = fill(declared, REFILL_0)[-1]

        publish_all(declared, LIVE_0, deletion(100))
        publish_all(declared, REFILL_1, deletion(101))

        assert not late.done()

    def test_closing_fails_what_is_not_confirmed(self, declared: EventLog) -> None:
        late = fill(declared, REFILL_0)[-1]

        declared.close()

        assert isinstance(late.exception(DEADLINE_SECONDS), LogUnavailable)

    def test_publishing_to_a_closed_log_fails(self, declared: EventLog) -> None:
        declared.close()

        confirmation = declared.publish(LIVE_0, deletion(1))

        assert isinstance(confirmation.exception(DEADLINE_SECONDS), LogUnavailable)

    # Rights

    def test_a_right_has_one_holder_until_it_is_given_back(self, log: EventLog) -> None:
        with log.exclusive("cdc.active"), pytest.raises(RightTaken), log.exclusive("cdc.active"):
            pass

        with log.exclusive("cdc.active"):
            pass

    def test_rights_of_other_names_are_free(self, log: EventLog) -> None:
        with log.exclusive("cdc.active"), log.exclusive("cdc.other"):
            pass
