"""Re-emissions over in-memory stores: everything, lists, what joins what, and where each resumes."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from fakes.flow import post
from fakes.relay import NO_TIME, ImpatientDocumentStore, Killed, LateLog, Life, World, settled, turns
from twin_cdc import reemit
from twin_contracts.base import DocumentId
from twin_contracts.events import Cause, DocumentDeleted, Purge, Version
from twin_contracts.queues import Lane, Queue
from twin_contracts.reemission import Reemission, ReemissionProgress
from twin_platform.documents.port import Snapshot
from twin_platform.log.port import Confirmation, Event
from twin_platform.records.port import RecordStore
from twin_platform.records.reemissions import FINISHED_REEMISSIONS, REEMISSIONS, open_reemissions

NAMES = [f"name {number}" for number in range(30)]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reemit, "STEP_ROWS", 3)


@pytest.fixture
def world() -> World:
    """Thirty documents, quiet, nothing left in the log."""
    world = World()
    world.write(*NAMES)
    return settled(world)


@pytest.fixture
def late() -> World:
    """The same, its log waiting for the test."""
    world = World(log=LateLog(partitions=2))
    world.write(*NAMES)
    return settled(world)


def refilled(world: World) -> Counter[DocumentId]:
    """How often each document was published on the refill lane."""
    return Counter(event.document_id for event in world.events(Lane.REFILL))


def kill_when(world: World, holds: Callable[[], bool]) -> None:
    """Run a relay and kill it at its next call once something holds."""
    life = Life()

    def dying() -> bool:
        if holds():
            life.last = life.calls
        return False

    with suppress(Killed):
        world.run(dying, life)


def test_everything_is_published_once_and_purged_behind_in_every_partition(world: World) -> None:
    world.ask()

    world.run()

    assert set(refilled(world).values()) == {1}
    assert len(refilled(world)) == len(NAMES)
    assert len(world.purges()) == world.log.partitions
    assert {purge.before for purge in world.purges()} == {min(event.version for event in world.events(Lane.REFILL))}


def test_an_empty_store_is_purged_too(world: World) -> None:
    world.run()
    world.delete(*NAMES)
    world.ask()

    world.run()

    assert len(world.purges()) == world.log.partitions


def test_the_first_version_is_stored_before_a_row_is_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = world.ask()
    publish, progress = world.log.publish, list[ReemissionProgress | None]()

    def publish_and_look(queue: Queue, event: Event) -> Confirmation:
        stored = world.records.get(REEMISSIONS, asked.id)
        progress.append(stored.record.progress if stored else None)
        return publish(queue, event)

    monkeypatch.setattr(world.log, "publish", publish_and_look)
    world.run()

    firsts = {known.first for known in progress if known}
    assert None not in progress
    assert firsts == {min(event.version for event in world.events(Lane.REFILL))}


def test_a_killed_re_emission_resumes_at_its_last_confirmed_id_with_the_same_first_version(world: World) -> None:
    asked = world.ask()
    kill_when(world, lambda: len(world.events(Lane.REFILL)) >= 15)
    killed = open_reemissions(world.records)[0].progress
    world.write(NAMES[0], NAMES[-1], text="changed while it was down")
    world.write("new while it was down")

    world.run()

    finished = world.records.get(FINISHED_REEMISSIONS, asked.id)
    assert killed is not None
    assert killed.last_id is not None
    assert finished is not None
    assert finished.record.progress is not None
    assert finished.record.progress.first == killed.first
    assert {purge.before for purge in world.purges()} == {killed.first}
    assert world.published() == world.stored()
    assert 0 < sum(times > 1 for times in refilled(world).values()) <= 3 * reemit.STEP_ROWS


def test_nothing_is_purged_before_everything_is_confirmed(late: World) -> None:
    late.ask()
    assert isinstance(late.log, LateLog)
    log = late.log

    def purges() -> int:
        return sum(isinstance(event, Purge) for _, event, _ in log.late)

    early = list[int]()

    late.run(turns(30, lambda: log.confirm(len(log.late) - 1), 10, lambda: early.append(purges()), log.confirm, 5))

    assert (early, purges()) == ([0], 2)


def test_of_a_list_those_that_are_gone_are_published_as_deleted(world: World) -> None:
    world.delete(NAMES[0])
    world.run()
    world.consume()
    ids = [post(name, "").id for name in (NAMES[0], NAMES[1], "never written")]
    world.ask(*ids, cause=Cause.REPLAY)

    world.run()

    events = {event.document_id: event for event in world.events(Lane.REFILL)}
    assert [isinstance(events[document_id], DocumentDeleted) for document_id in ids] == [True, False, True]
    assert {event.cause for event in events.values()} == {Cause.REPLAY}
    assert len({event.version for event in events.values()}) == 1
    assert world.purges() == []


def test_a_list_longer_than_one_step_is_published_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reemit, "STEP_ROWS", 100)
    ids = [post(f"many {number}", "").id for number in range(1050)]
    world.ask(*ids)

    world.run()

    assert set(refilled(world)) == set(ids)


def test_a_list_runs_between_the_steps_of_everything(world: World) -> None:
    world.ask()
    kill_when(world, lambda: len(world.events(Lane.REFILL)) >= 6)
    listed = world.ask(*[post(name, "").id for name in NAMES[:10]])

    world.run(lambda: world.records.get(FINISHED_REEMISSIONS, listed.id) is not None)

    assert [request.ids for request in open_reemissions(world.records)] == [None]


def test_a_list_is_finished_only_when_it_is_confirmed_and_again_published_after_a_crash(late: World) -> None:
    late.ask(*[post(name, "").id for name in NAMES[:5]])
    assert isinstance(late.log, LateLog)
    log = late.log

    late.run(turns(10, lambda: log.confirm(4), 10))
    waiting = len(open_reemissions(late.records))
    log.late.clear()
    late.run(turns(10, log.confirm, 3))

    assert waiting == 1
    assert late.quiet()
    assert sorted(refilled(late).values()) == [1, 2, 2, 2, 2]


def test_requests_for_everything_that_have_not_begun_are_joined_and_all_finished(world: World) -> None:
    asked = [world.ask() for _ in range(3)]

    world.run()

    assert set(refilled(world).values()) == {1}
    assert {stored.key for stored in world.records.find(FINISHED_REEMISSIONS)} >= {request.id for request in asked}


def test_what_joined_is_still_joined_after_a_crash_at_any_call() -> None:
    for last in count(1):
        world = World()
        world.write(*NAMES[:9])
        settled(world)
        for _ in range(3):
            world.ask()
        life = Life(last)
        with suppress(Killed):
            world.run(life=life)
        begun = {request.progress is not None for request in open_reemissions(world.records)}

        world.run()

        runs = 2 if len(begun) == 2 else 1  # killed while it said of one after the other that they have begun
        assert refilled(world).total() <= runs * 9 + 2 * reemit.STEP_ROWS, f"after a kill at call {last}"
        assert len({purge.before for purge in world.purges()}) == runs
        if life.calls < last:
            break


def test_a_request_that_comes_after_the_beginning_gets_its_own_run(world: World) -> None:
    world.ask()

    world.run(turns(6, world.ask, 60))

    assert set(refilled(world).values()) == {2}
    assert len({purge.before for purge in world.purges()}) == 2


def test_a_replay_of_everything_that_is_joined_stays_a_replay(world: World) -> None:
    world.ask()
    world.ask(cause=Cause.REPLAY)
    world.ask()
    kill_when(world, lambda: len(world.events(Lane.REFILL)) >= 15)

    world.run()

    assert {event.cause for event in world.events(Lane.REFILL)} == {Cause.REPLAY}


def test_a_step_of_a_store_that_is_behind_is_read_again_after_a_pause() -> None:
    class BehindStore(ImpatientDocumentStore):
        behind = 0

        def scan(self, after: DocumentId | None, limit: int) -> Snapshot:
            snapshot = super().scan(after, limit)
            if after is None or not self.behind:
                return snapshot
            self.behind -= 1
            return Snapshot((), (), Version(seconds=1, increment=0))

    world = World(documents_type=BehindStore)
    world.write(*NAMES)
    store = world.documents
    assert isinstance(store, BehindStore)
    store.behind = 5

    world.run()

    assert world.published() == world.stored()
    assert sum(wait > 0 for wait in store.waits) >= 5


def test_a_full_queue_of_one_partition_holds_the_re_emission_and_loses_nothing(late: World) -> None:
    late.options = type(late.options)(refill_window=8, drain_seconds=0.0)
    late.ask()
    assert isinstance(late.log, LateLog)
    log = late.log
    waiting = list[int]()
    open_only = [lambda: log.confirm(wanted=lambda queue: queue != Queue(0, Lane.REFILL))] * 40

    late.run(turns(*open_only, lambda: waiting.append(len(log.late)), *[log.confirm] * 60))

    assert 0 < waiting[0] <= 2, "a quarter of its window"
    assert set(refilled(late).values()) == {1}
    assert late.quiet()


def test_finished_requests_are_kept_where_the_idle_relay_does_not_look(world: World) -> None:
    asked = world.ask()

    world.run()

    finished = world.records.get(FINISHED_REEMISSIONS, asked.id)
    assert world.records.find(REEMISSIONS) == []
    assert finished is not None
    assert finished.record.finished_at is not None


def test_long_lists_that_wait_are_not_read_for_every_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ask(*[post(name, "").id for name in NAMES])
    looks = list[RecordStore]()

    def look(records: RecordStore) -> list[Reemission]:
        looks.append(records)
        return open_reemissions(records)

    monkeypatch.setattr(reemit, "open_reemissions", look)
    world.run(turns(15), step=NO_TIME)

    assert len(refilled(world)) == len(NAMES)
    assert len(looks) == 1


def test_an_id_that_is_none_is_never_stored_as_progress(world: World) -> None:
    for name in ("zz 1", "zz 2", "zz 3", "zz 4"):
        world.spoil(name)
    world.run()
    asked = world.ask()

    world.run()

    finished = world.records.get(FINISHED_REEMISSIONS, asked.id)
    assert finished is not None
    assert finished.record.progress is not None
    assert finished.record.progress.last_id == max(post(name, "").id for name in NAMES)
