"""The relay's position: never past what is confirmed, and what is owed where it is lost."""

from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from fakes.flow import post
from fakes.relay import NO_TIME, ImpatientFeed, Killed, LateLog, Life, World, settled, texts, turns
from twin_contracts.queues import Lane, Queue, partition_of
from twin_platform.documents.errors import PositionLost
from twin_platform.documents.port import Change
from twin_platform.records.positions import POSITIONS, SOURCE
from twin_platform.records.reemissions import FINISHED_REEMISSIONS, open_reemissions

MINUTE = timedelta(minutes=1)
TENTH = timedelta(seconds=0.1)


def test_the_position_never_passes_an_unconfirmed_event() -> None:
    world = settled(World(log=LateLog(partitions=2)))
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
    world = settled(World())
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


def test_a_store_whose_time_moves_by_the_position_s_own_write_has_it_written_every_ten_seconds() -> None:
    """As MongoDB's does, where the records are in the same replica set."""
    world = settled(World())
    revisions = list[int]()

    def tick() -> None:
        stored = world.records.get(POSITIONS, SOURCE)
        revisions.append(stored.revision if stored else 0)
        world.documents.scan(None, 1)

    world.run(turns(*[tick] * 300), step=TENTH)

    assert 2 <= len(set(revisions)) <= 5


def test_the_first_change_after_a_rest_has_its_position_written_at_once() -> None:
    world = settled(World())

    captured = list[bool]()

    world.run(turns(20, lambda: world.write("a"), 1, lambda: captured.append(world.quiet())), step=TENTH / 50)

    assert captured == [True]


def test_a_stop_writes_the_position() -> None:
    world = settled(World())

    world.run(turns(5, lambda: world.write("a"), lambda: world.write("b"), 1), step=NO_TIME)

    assert world.quiet()


def test_a_position_taken_anew_owes_its_re_emission_in_the_same_put() -> None:
    for last in count(1):
        world = World()
        world.write("a")
        with suppress(Killed):
            world.run(life=Life(last))
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
    world = settled(World())

    def lost(limit: int, wait: float) -> list[Change]:
        raise PositionLost("token", "the oplog is too short")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImpatientFeed, "read", lambda self, limit, wait: lost(limit, wait))
        world.run(turns(30))

    assert len(world.waits) > 5
    assert set(world.waits) == {0.2}


def test_a_long_reason_for_losing_the_position_still_becomes_a_request() -> None:
    world = settled(World())

    def lost(limit: int, wait: float) -> list[Change]:
        raise PositionLost("token", "x" * 5000)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImpatientFeed, "read", lambda self, limit, wait: lost(limit, wait))
        world.run(turns(6))

    assert all(len(request.reason) <= 500 for request in open_reemissions(world.records))
    assert open_reemissions(world.records)


def test_who_lost_the_right_writes_no_position_and_begins_again_from_the_winner_s() -> None:
    world = settled(World())
    winner = world.position()

    def win() -> None:
        world.records.put(POSITIONS, SOURCE, winner)

    world.run(turns(5, lambda: world.write("a", text="once"), 3, win, lambda: world.write("b"), 8))

    assert texts(world.events(Lane.LIVE)).count("once") == 2
    assert "another cdc instance" in str([fact["detail"] for fact in world.logger.facts if fact["event"] == "relay"])
    assert world.quiet()
