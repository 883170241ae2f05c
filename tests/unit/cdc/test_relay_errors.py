"""What a relay does about a right that another holds, a store or a log that fails, and queues that are gone."""

import threading
from collections import Counter
from datetime import timedelta

import pytest

from fakes.flow import eventually
from fakes.relay import NO_TIME, ImpatientFeed, UntilFlag, World, settled, turns
from twin_cdc.relay import RelayOptions
from twin_contracts.queues import Lane, Queue
from twin_platform.documents.errors import StoreUnavailable
from twin_platform.records.reemissions import open_reemissions

MINUTE = timedelta(minutes=1)


def test_a_second_relay_waits_until_the_right_is_free() -> None:
    world = World()
    world.write("a")
    second = world.relay()
    states = list[str]()
    holding = world.log.exclusive("cdc.documents.active")
    holding.__enter__()

    second.run(
        UntilFlag(
            turns(
                10,
                lambda: states.append(second.status.state),
                lambda: holding.__exit__(None, None, None),
                5,
                lambda: states.append(second.status.state),
            ),
            world.clock,
        )
    )

    assert states == ["waiting", "active"]


def test_a_broken_log_is_tried_again_with_pauses_that_double_to_half_a_minute() -> None:
    world = settled(World())
    world.log.broken = True
    world.write("a")

    relay = world.run(lambda: len(world.waits) >= 10, step=NO_TIME)

    assert world.waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert relay.status.state == "stopped"


def test_what_was_confirmed_before_an_error_is_not_published_again() -> None:
    world = settled(World())

    def fail() -> None:
        world.log.broken = True
        world.write("c")

    def mend() -> None:
        world.log.broken = False

    world.run(turns(5, lambda: world.write("a"), 2, lambda: world.write("b"), 2, fail, 3, mend, 5), step=NO_TIME)

    assert sorted(Counter(event.document_id for event in world.events(Lane.LIVE)).values()) == [1, 1, 1]


def test_after_an_hour_of_health_the_first_pause_is_short_again() -> None:
    world = settled(World())
    world.log.broken = True
    world.write("a")

    def mend() -> bool:
        world.log.broken = len(world.waits) < 6
        return not world.log.broken and world.quiet()

    relay = world.relay()
    healthy = list[str]()

    def fail_again() -> None:
        healthy.append(relay.status.state)
        world.clock.turn(MINUTE * 60)
        world.log.broken = True
        world.write("b")

    plan = turns(fail_again, lambda: None)
    stop = UntilFlag(lambda: (mend() if not healthy else True) and plan(), world.clock, NO_TIME)
    world.waits = stop.waits
    relay.run(stop)

    assert healthy == ["active"]
    assert world.waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 0.2]


def test_an_unavailable_store_degrades_and_nothing_is_lost_when_it_is_back() -> None:
    world = settled(World())
    world.write("a", "b")
    states = list[str]()
    relay = world.relay()

    def refuse(position: str | None) -> ImpatientFeed:
        raise StoreUnavailable("no answer")

    changes = world.documents.changes
    world.documents.changes = refuse  # type: ignore[method-assign]

    def back() -> None:
        states.append(relay.status.state)
        world.documents.changes = changes  # type: ignore[method-assign]

    relay.run(UntilFlag(turns(6, back, 10, lambda: states.append(relay.status.state)), world.clock))

    assert states == ["degraded", "active"]
    assert world.published() == world.stored()


def test_a_stop_during_a_pause_returns_at_once() -> None:
    world = settled(World())
    world.options = RelayOptions(first_backoff=600.0, last_backoff=600.0)
    world.log.broken = True
    world.write("a")
    relay, stop = world.relay(), threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    eventually(lambda: relay.status.state == "degraded")

    stop.set()
    thread.join(5.0)

    assert not thread.is_alive()


def test_missing_queues_are_asked_for_before_they_are_declared() -> None:
    world = World()
    asked = list[int]()
    declare = world.log.declare

    def declare_and_look() -> None:
        asked.append(len(open_reemissions(world.records)))
        declare()

    world.log.declare = declare_and_look  # type: ignore[method-assign]
    world.run()

    assert asked == [1]


@pytest.mark.parametrize("back", [timedelta(), timedelta(minutes=-10)], ids=["wall clock right", "wall clock back"])
def test_a_queue_that_vanishes_is_declared_again_within_ten_seconds_and_refilled(back: timedelta) -> None:
    world = World()
    world.write(*"abcdefgh")
    world.run()
    lost = Queue(0, Lane.LIVE)
    missing = list[bool]()

    def look() -> None:
        missing.append(lost in world.log.missing())

    def lose() -> None:
        world.consume()
        world.log.lose(lost)
        world.clock.turn(back)

    world.run(turns(3, lose, 5, look, 6, look, 8))

    assert missing == [True, False]
    assert world.published() == world.stored()
    assert world.quiet()


def test_a_live_event_for_a_queue_that_vanished_is_not_lost() -> None:
    world = settled(World())

    world.run(turns(3, lambda: world.log.lose(Queue(0, Lane.LIVE)), lambda: world.write(*"abcdefgh"), 10))
    world.run()

    assert world.published() == world.stored()
