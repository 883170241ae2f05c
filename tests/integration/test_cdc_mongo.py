"""cdc on MongoDB's adapter, killed at its calls: faults 1, 2, 3, 6, 7, 10, 31 and 35, as far as without a real server.

The server is the one in memory that is held to the transcripts; tests/faults runs the same faults on real ones.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import pytest

from fakes.flow import post
from fakes.mongo import Server
from fakes.relay import Killed, LateLog, Life, World
from twin_cdc import reemit
from twin_cdc.relay import RelayOptions
from twin_contracts.base import Contract
from twin_contracts.documents import content_hash
from twin_contracts.events import DocumentInvalid, Version
from twin_contracts.queues import Lane
from twin_platform.documents.mongo import COLLECTION, MongoDocumentStore
from twin_platform.documents.mongo_feed import time_of
from twin_platform.documents.mongo_prepare import prepare
from twin_platform.records.port import Collection
from twin_platform.records.positions import FeedPosition

R = TypeVar("R", bound=Contract)

EVERY_KILL = 4
"""Of a run's calls so many pass between two that it is killed at; a few dozen deaths in each scenario."""


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reemit, "STEP_ROWS", 3)


@dataclass
class MongoWorld(World):
    """A relay's stores, the documents in MongoDB; its log confirms two events at each turn of the relay."""

    server: Server = field(default_factory=Server)
    log: LateLog = field(default_factory=lambda: LateLog(partitions=2))
    options: RelayOptions = field(
        default_factory=lambda: RelayOptions(drain_seconds=0.0, idle_wait=0.01, busy_wait=0.01)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        prepare(self.server.handle())
        self.documents = MongoDocumentStore(self.server.handle(), self.clock)  # type: ignore[assignment]  # the port's

    def quiet(self) -> bool:
        self.log.confirm(2)
        return not self.log.late and super().quiet()


def first_start() -> MongoWorld:
    world = MongoWorld()
    world.write(*"abcdefgh")
    return world


def oplog_rolled_over() -> MongoWorld:
    """No relay ran while documents were deleted, and the oplog no longer says so."""
    world = first_start()
    world.run()
    world.write("a", text="second")
    world.delete("b", "c")
    world.server.forget_oplog()
    return world


def collection_dropped() -> MongoWorld:
    world = first_start()
    world.run()
    world.server.database().drop_collection(COLLECTION)
    world.write("h", "i")
    return world


def collection_renamed_away() -> MongoWorld:
    world = first_start()
    world.run()
    world.server.database().rename_away(COLLECTION)
    world.write("a", text="new")
    return world


def a_new_primary_is_behind() -> MongoWorld:
    world = first_start()
    world.run()
    world.ask()
    world.server.behind = 3
    return world


SCENARIOS = [first_start, oplog_rolled_over, collection_dropped, collection_renamed_away, a_new_primary_is_behind]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_killed_at_any_call_nothing_is_lost(scenario: Callable[[], MongoWorld]) -> None:
    for last in count(1, EVERY_KILL):
        world = scenario()
        life = Life(last)
        with suppress(Killed):
            world.run(life=life)

        world.run()

        assert world.published() == world.stored()
        if life.calls < last:
            return


def test_a_holder_that_was_stopped_overwrites_no_position_of_its_successor() -> None:
    """Fault 10: it loses the right while it stands still, wherever that was, and goes on after the other is done."""
    told: list[str] = []
    for call in count(1, EVERY_KILL):
        world = first_start()
        written = positions_of(world)

        def take_over(world: MongoWorld = world) -> None:
            world.log._rights.clear()
            world.write("b", text="while it stood still")
            world.delete("c")
            world.run()

        life = Life(meanwhile={call: take_over})
        world.run(life=life)

        assert world.published() == world.stored()
        assert written == sorted(written)
        told += [str(fact["detail"]) for fact in world.logger.facts if fact.get("state") == "degraded"]
        if life.meanwhile:
            break
    assert any("another cdc instance wrote the position" in why for why in told)


def positions_of(world: MongoWorld) -> list[Version]:
    """Return the times of the positions that are written from now on, as they come."""
    times: list[Version] = []
    put = world.records.put

    def noting(collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        revision = put(collection, key, record, if_revision)
        if isinstance(record, FeedPosition):
            times.append(time_of(record.token))
        return revision

    world.records.put = noting  # type: ignore[method-assign]  # a spy
    return times


def test_the_changes_of_one_transaction_end_in_the_last_ones_state() -> None:
    """Fault 31: they share a version, so each is a claim, and the document is read."""
    world = first_start()
    world.run()
    world.consume()
    world.server.write_transaction(COLLECTION, post("a", "first"), post("a", "second"))

    world.run()

    told = world.events(Lane.LIVE)
    assert [getattr(event, "after", None) for event in told] == [None, None]
    assert len({event.version for event in told}) == 1


def test_what_is_no_document_is_told_and_goes_on() -> None:
    """Fault 35."""
    world = first_start()
    world.run()
    world.consume()
    held = world.server.database().get_collection(COLLECTION)
    held.update_one({"_id": post("a", "").id}, {"$set": {"type": "song"}})
    world.write("b", text="after it")

    world.run()

    told = {event.document_id: event for event in world.events(Lane.LIVE)}
    invalid = told[post("a", "").id]
    assert isinstance(invalid, DocumentInvalid)
    assert "song" in invalid.reason
    assert getattr(told[post("b", "").id], "content_hash", None) == content_hash(post("b", "after it"))
