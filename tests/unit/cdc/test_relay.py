"""The relay over in-memory stores: the live feed, its position, the right to be active, errors and stops."""

import threading
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from fakes.flow import eventually, post
from fakes.log import InMemoryEventLog
from fakes.relay import NO_TIME, ImpatientFeed, Killed, LateLog, Life, UntilFlag, World, texts, turns
from twin_cdc.position import POSITIONS, SOURCE
from twin_cdc.relay import RelayOptions
from twin_contracts.events import DocumentInvalid
from twin_contracts.queues import Lane, Queue, partition_of
from twin_platform.documents.errors import PositionLost, StoreUnavailable
from twin_platform.documents.port import Change
from twin_platform.records.reemissions import FINISHED_REEMISSIONS, open_reemissions

MINUTE = timedelta(minutes=1)
TENTH = timedelta(seconds=0.1)


def late_world() -> World:
    """Started, with everything confirmed so far; from now on the log waits for the test."""
    log = LateLog(partitions=2)
    world = World(log=log)

    def quiet() -> bool:
        log.confirm()
        return world.quiet()

    world.run(quiet)
    world.consume()
    return world


def quiet_world() -> World:
    world = World()
    world.run()
    world.consume()
    return world


def test_documents_older_than_the_first_start_come_on_the_refill_lane() -> None:
    world = World()
    world.write("a", "b", "c")

    world.run()

    assert world.published() == world.stored()
    assert (len(world.events(Lane.REFILL)), world.events(Lane.LIVE)) == (3, [])


def test_what_changes_before_during_and_after_a_run_is_published_live() -> None:
    world = quiet_world()
    world.write("a", "b", text="before")

    world.run(turns(5, lambda: world.write("c", text="during"), lambda: world.delete("a"), 3))
    world.write("b", text="after")
    world.run()

    assert world.published() == world.stored()
    assert world.events(Lane.REFILL) == []


def test_changes_of_one_document_keep_their_order_in_one_queue() -> None:
    world = quiet_world()
    words = [f"version {number}" for number in range(6)]

    world.run(turns(4, *[lambda word=word: world.write("a", text=word) for word in words], 3))

    assert texts(world.events(Lane.LIVE)) == words


def test_a_quiet_feed_is_waited_for_so_long_that_the_relay_turns_at_most_three_times_a_second() -> None:
    world = quiet_world()
    world.documents.waits.clear()

    world.run(turns(10))

    assert min(world.documents.waits) > 1 / 3
    assert max(world.documents.waits) <= 0.5, "a request for re-emission begins within half a second"


@pytest.mark.parametrize("lane", list(Lane))
def test_while_confirmations_are_awaited_in_either_lane_the_relay_looks_often(lane: Lane) -> None:
    world = late_world()
    assert isinstance(world.log, LateLog)
    world.write("a")
    world.run(turns(5, world.log.confirm, 5))
    world.ask(post("a", "").id) if lane is Lane.REFILL else world.write("b")

    world.run(turns(5, world.documents.waits.clear, 5))

    assert 0 < max(world.documents.waits) <= 0.05


def test_a_live_change_is_read_at_once_while_everything_is_re_emitted() -> None:
    world = quiet_world()
    world.write(*[f"name {number}" for number in range(1000)])
    world.run()
    world.ask()

    world.run(turns(3, world.documents.waits.clear, 3))

    assert max(world.documents.waits) == 0.0


def test_the_position_never_passes_an_unconfirmed_event() -> None:
    world = late_world()
    log, before = world.log, world.position()
    assert isinstance(log, LateLog)
    world.write("a", "b", "c", "d", text="not confirmed")
    first = Queue(partition_of(post("a", "").id, 2), Lane.LIVE)

    world.run(turns(5, lambda: log.confirm(wanted=lambda queue: queue != first), 5))
    stuck = world.position()
    log.late.clear()
    world.run(turns(5, log.confirm, 5))

    assert stuck == before
    assert world.published() == world.stored()
    assert world.documents.captured(world.position().token)


def test_a_position_is_written_at_most_once_a_second_while_events_flow_and_not_at_all_while_they_rest() -> None:
    world = quiet_world()
    revisions = list[int]()

    def look() -> None:
        stored = world.records.get(POSITIONS, SOURCE)
        revisions.append(stored.revision if stored else 0)

    def write() -> None:
        look()
        world.write("a", text=str(len(revisions)))

    world.run(turns(*[write] * 50), step=TENTH)
    flowing = len(set(revisions))
    revisions.clear()
    world.run(turns(*[look] * 50), step=TENTH)

    assert 5 <= flowing <= 7
    assert len(set(revisions)) == 1


def test_the_first_change_after_a_rest_has_its_position_written_at_once() -> None:
    world = quiet_world()

    captured = list[bool]()

    world.run(turns(20, lambda: world.write("a"), 1, lambda: captured.append(world.quiet())), step=TENTH / 50)

    assert captured == [True]


def test_a_stop_writes_the_position() -> None:
    world = quiet_world()

    world.run(turns(5, lambda: world.write("a"), lambda: world.write("b"), 1), step=NO_TIME)

    assert world.quiet()


def test_a_position_taken_anew_owes_its_re_emission_in_the_same_put() -> None:
    for last in count(1):
        world = World()
        world.write("a")
        with suppress(Killed):
            world.run(life=Life(last, after_effect=True))
        if world.records.get(POSITIONS, SOURCE) is not None:
            break
    owed = world.position().owed

    world.run()

    assert owed in {stored.key for stored in world.records.find(FINISHED_REEMISSIONS)}
    assert world.position().owed is None


def test_a_restored_backup_is_re_emitted_and_what_it_does_not_hold_is_purged() -> None:
    world = World()
    world.write("a", "b")
    backup = world.documents.contents.copy()
    world.write("a", text="after the backup")
    world.write("c")
    world.run()
    world.clock.turn(MINUTE)

    world.documents.contents = backup
    world.run()

    assert world.published() == world.stored()
    assert len(world.stored()) == 2


def test_forgotten_deletions_are_purged_with_the_first_step_s_version_in_every_partition() -> None:
    world = World()
    world.write("a", "b", "c")
    world.run()
    world.delete("a", "b")
    world.clock.turn(MINUTE)
    world.documents.forget_deletions(world.clock.now())
    marks = world.purges()

    world.run()

    new = [purge for purge in world.purges() if purge not in marks]
    refilled = max(event.version for event in world.events(Lane.REFILL))
    assert [purge.before for purge in new] == [refilled] * world.log.partitions
    assert world.published() == world.stored()


def test_a_position_lost_under_way_and_again_during_the_re_emission_ends_with_the_store_s_state() -> None:
    world = World()
    world.write(*"abcdefgh")
    world.run()

    def lose(name: str) -> None:
        world.write("z", text=name)
        world.delete(name)
        world.clock.turn(MINUTE)
        world.documents.forget_deletions(world.clock.now())

    world.run(turns(4, lambda: lose("a"), 1, lambda: lose("b"), 1, lambda: lose("c")))
    world.run()

    assert world.published() == world.stored()
    assert sum(fact["event"] == "position_lost" for fact in world.logger.facts) >= 2


def test_a_store_that_loses_every_position_is_asked_with_pauses() -> None:
    world = quiet_world()

    def lost(limit: int, wait: float) -> list[Change]:
        raise PositionLost("token", "the oplog is too short")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImpatientFeed, "read", lambda self, limit, wait: lost(limit, wait))
        world.run(turns(30))

    assert len(world.waits) > 5
    assert set(world.waits) == {0.2}


def test_a_long_reason_for_losing_the_position_still_becomes_a_request() -> None:
    world = quiet_world()

    def lost(limit: int, wait: float) -> list[Change]:
        raise PositionLost("token", "x" * 5000)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImpatientFeed, "read", lambda self, limit, wait: lost(limit, wait))
        world.run(turns(6))

    assert all(len(request.reason) <= 500 for request in open_reemissions(world.records))
    assert open_reemissions(world.records)


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


def test_who_lost_the_right_writes_no_position_and_begins_again_from_the_winner_s() -> None:
    world = quiet_world()
    winner = world.position()

    def win() -> None:
        world.records.put(POSITIONS, SOURCE, winner)

    world.run(turns(5, lambda: world.write("a", text="once"), 3, win, lambda: world.write("b"), 8))

    assert texts(world.events(Lane.LIVE)).count("once") == 2
    assert "another cdc instance" in str([fact["detail"] for fact in world.logger.facts if fact["event"] == "relay"])
    assert world.quiet()


def test_a_broken_log_is_tried_again_with_pauses_that_double_to_half_a_minute() -> None:
    world = quiet_world()
    world.log.broken = True
    world.write("a")

    relay = world.run(lambda: len(world.waits) >= 10, step=NO_TIME)

    assert world.waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert relay.status.state == "stopped"


def test_what_was_confirmed_before_an_error_is_not_published_again() -> None:
    world = quiet_world()

    def fail() -> None:
        world.log.broken = True
        world.write("c")

    def mend() -> None:
        world.log.broken = False

    world.run(turns(5, lambda: world.write("a"), 2, lambda: world.write("b"), 2, fail, 3, mend, 5), step=NO_TIME)

    assert sorted(Counter(event.document_id for event in world.events(Lane.LIVE)).values()) == [1, 1, 1]


def test_after_an_hour_of_health_the_first_pause_is_short_again() -> None:
    world = quiet_world()
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
    world = quiet_world()
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
    world = quiet_world()
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
    world = quiet_world()

    world.run(turns(3, lambda: world.log.lose(Queue(0, Lane.LIVE)), lambda: world.write(*"abcdefgh"), 10))
    world.run()

    assert world.published() == world.stored()


def test_a_wall_clock_ten_minutes_back_changes_nothing() -> None:
    world = quiet_world()
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
    world = late_world()
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
    world = quiet_world()
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
