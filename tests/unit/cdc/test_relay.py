"""The relay over in-memory stores: every committed change is published live, in order, soon, whatever is full."""

from datetime import timedelta

import pytest

from fakes.flow import post
from fakes.log import InMemoryEventLog
from fakes.relay import LateLog, World, settled, texts, turns
from twin_contracts.events import DocumentInvalid
from twin_contracts.queues import Lane, Queue, partition_of


def test_documents_older_than_the_first_start_come_on_the_refill_lane() -> None:
    world = World()
    world.write("a", "b", "c")

    world.run()

    assert world.published() == world.stored()
    assert (len(world.events(Lane.REFILL)), world.events(Lane.LIVE)) == (3, [])


def test_what_changes_before_during_and_after_a_run_is_published_live() -> None:
    world = settled(World())
    world.write("a", "b", text="before")

    world.run(turns(5, lambda: world.write("c", text="during"), lambda: world.delete("a"), 3))
    world.write("b", text="after")
    world.run()

    assert world.published() == world.stored()
    assert world.events(Lane.REFILL) == []


def test_changes_of_one_document_keep_their_order_in_one_queue() -> None:
    world = settled(World())
    words = [f"version {number}" for number in range(6)]

    world.run(turns(4, *[lambda word=word: world.write("a", text=word) for word in words], 3))

    assert texts(world.events(Lane.LIVE)) == words


def test_a_quiet_feed_is_waited_for_so_long_that_the_relay_turns_at_most_three_times_a_second() -> None:
    world = settled(World())
    world.documents.waits.clear()

    world.run(turns(10))

    assert min(world.documents.waits) > 1 / 3
    assert max(world.documents.waits) <= 0.5, "a request for re-emission begins within half a second"


@pytest.mark.parametrize("lane", list(Lane))
def test_while_confirmations_are_awaited_in_either_lane_the_relay_looks_often(lane: Lane) -> None:
    world = settled(World(log=LateLog(partitions=2)))
    assert isinstance(world.log, LateLog)
    world.write("a")
    world.run(turns(5, world.log.confirm, 5))
    world.ask(post("a", "").id) if lane is Lane.REFILL else world.write("b")

    world.run(turns(5, world.documents.waits.clear, 5))

    assert 0 < max(world.documents.waits) <= 0.05


def test_a_live_change_is_read_at_once_while_everything_is_re_emitted() -> None:
    world = settled(World())
    world.write(*[f"name {number}" for number in range(1000)])
    world.run()
    world.ask()

    world.run(turns(3, world.documents.waits.clear, 3))

    assert max(world.documents.waits) == 0.0


def test_a_wall_clock_ten_minutes_back_changes_nothing() -> None:
    world = settled(World())
    world.write("a", "b")

    world.run(turns(4, lambda: world.clock.turn(timedelta(minutes=-10)), lambda: world.write("a", text="after"), 4))

    assert texts(world.events(Lane.LIVE))[-1] == "after"
    assert world.published() == world.stored()
    assert world.quiet()


def test_a_full_refill_queue_delays_no_live_event() -> None:
    world = World(log=InMemoryEventLog(partitions=2, refill_limit_bytes=1))
    world.write(*"abcdefgh")

    world.run(turns(8, lambda: world.write("new", text="live"), 3))

    assert len(world.events(Lane.REFILL)) == 2, "one in each partition, and no room for more"
    assert texts(world.events(Lane.LIVE)) == ["live"]


def test_a_full_live_queue_does_not_stop_the_other_partition_while_the_window_has_room() -> None:
    world = settled(World(log=LateLog(partitions=2)))
    log = world.log
    assert isinstance(log, LateLog)
    full = Queue(0, Lane.LIVE)
    names = [f"name {number}" for number in range(400)]
    others = sum(partition_of(post(name, "").id, 2) == 1 for name in names)

    world.run(
        turns(
            *[lambda: log.confirm(wanted=lambda queue: queue != full)] * 5,
            lambda: world.write(*names),
            *[lambda: log.confirm(wanted=lambda queue: queue != full)] * 10,
        )
    )

    assert len(world.log.events(Queue(1, Lane.LIVE))) == others
    assert world.log.events(full) == []


def test_an_invalid_document_is_told_and_those_after_it_go_on() -> None:
    world = settled(World())
    world.write("a")
    spoilt = post("spoilt", "").id
    for stored_id in (spoilt, "no id at all", "zz"):
        world.spoil(stored_id)
    world.write("b")

    world.run()
    world.ask()
    world.run()

    for lane in Lane:
        invalid = [event for event in world.events(lane) if isinstance(event, DocumentInvalid)]
        assert spoilt in {event.document_id for event in invalid}
        assert sum("'no id at all', which is no document id" in event.reason for event in invalid) == 1
        assert len(texts(world.events(lane))) == 2
