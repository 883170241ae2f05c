"""cdc's figures, as somebody who watches it reads them."""

from datetime import timedelta

import pytest
from bson.timestamp import Timestamp

from fakes.clock import SettableClock
from fakes.flow import changed, post
from fakes.mongo import FIRST, Server
from fakes.relay import NO_TIME, LateLog, World, settled, turns
from twin_cdc.metrics import HEADROOM, LAG, LOST, METRICS, PUBLISHED, REEMISSIONS, SINCE_EVENT, UNCONFIRMED, Figures
from twin_contracts.events import DocumentDeleted
from twin_contracts.queues import Lane, Queue
from twin_platform.documents.mongo import MongoDocumentStore
from twin_platform.documents.mongo_prepare import prepare
from twin_platform.telemetry.prometheus import PrometheusMetrics

LIVE = Queue(0, Lane.LIVE)
MINUTE = timedelta(minutes=1)


def test_a_live_events_lag_is_from_its_commit_to_its_confirmation() -> None:
    world = settled(World(log=LateLog(partitions=2)))
    log = world.log
    assert isinstance(log, LateLog)
    world.metrics.observed.clear()

    world.run(turns(lambda: world.write("a"), 2, lambda: world.clock.turn(MINUTE), log.confirm, 2), step=NO_TIME)

    assert world.metrics.observed[LAG.name] == [60.0]


def test_a_clock_that_is_ahead_shows_no_lag_and_what_has_no_stamp_is_not_counted() -> None:
    world = World()
    figures = Figures(world.metrics, world.clock)
    ahead = changed(post("a", "a text"), 1).model_copy(update={"committed_at": world.clock.now() + MINUTE})
    gone = DocumentDeleted(document_id=ahead.document_id, version=ahead.version, cause=ahead.cause)

    figures.confirmed(LIVE, ahead)
    figures.confirmed(LIVE, gone)

    assert world.metrics.observed[LAG.name] == [0.0]
    assert world.metrics.counted[PUBLISHED.name, Lane.LIVE] == 2


def test_re_emitted_documents_are_counted_by_themselves_and_have_no_lag() -> None:
    world = World()
    world.write("a", "b", "c")

    world.run()

    assert world.metrics.counted[PUBLISHED.name, Lane.REFILL] == 3
    assert world.metrics.observed[LAG.name] == []


def test_the_gauges_tell_of_the_active_relay_and_of_no_other() -> None:
    world = settled(World(log=LateLog(partitions=2)))
    log = world.log
    assert isinstance(log, LateLog)
    seen = list[object]()

    def look() -> None:
        seen.extend(world.metrics.read(gauge) for gauge in (UNCONFIRMED, REEMISSIONS, SINCE_EVENT))

    world.ask(post("a", "").id)
    world.run(turns(lambda: world.write("b"), 3, look, log.confirm, 5), step=NO_TIME)

    assert seen == [{"feed": 1, "refill": 1}, 1, 0.0]
    assert [world.metrics.read(gauge) for gauge in (UNCONFIRMED, REEMISSIONS, SINCE_EVENT, HEADROOM)] == [None] * 4


def test_seconds_since_the_last_event_grow_while_none_comes() -> None:
    world = settled(World())
    seen = list[object]()

    def look() -> None:
        seen.append(world.metrics.read(SINCE_EVENT))

    world.run(turns(look, lambda: world.write("a"), 1, lambda: world.clock.turn(MINUTE), look), step=NO_TIME)

    assert seen == [None, 60.0]


def test_a_lost_position_is_counted() -> None:
    world = settled(World())
    world.write("a")
    world.delete("a")
    world.clock.turn(MINUTE)
    world.documents.forget_deletions(world.clock.now())

    world.run()

    assert world.metrics.counted[LOST.name, None] == 1


class TestHeadroom:
    @pytest.fixture
    def server(self) -> Server:
        server = Server()
        prepare(server.handle())
        return server

    def test_it_is_from_the_oldest_entry_of_the_oplog_to_the_position(self, server: Server) -> None:
        store = MongoDocumentStore(server.handle(), SettableClock())
        server.now = Timestamp(FIRST.time + 3600, 1)

        assert store.headroom(token(FIRST.time + 3600)) == 3600.0

    def test_it_ends_at_nothing(self, server: Server) -> None:
        store = MongoDocumentStore(server.handle(), SettableClock())
        server.forgotten = Timestamp(FIRST.time + 60, 1)

        assert store.headroom(token(FIRST.time)) == 0.0

    def test_of_a_damaged_position_it_is_not_known(self, server: Server) -> None:
        assert MongoDocumentStore(server.handle(), SettableClock()).headroom("damaged") is None

    def test_without_permission_it_is_not_known(self, server: Server) -> None:
        store = MongoDocumentStore(server.handle(), SettableClock())
        server.may_read_oplog = False

        assert store.headroom(token(FIRST.time)) is None

    def test_the_active_relay_shows_that_of_the_position_it_would_begin_at(self) -> None:
        world = settled(World())
        asked, seen = list[str](), list[object]()

        def headroom(position: str) -> float:
            asked.append(position)
            return 99.0

        world.documents.headroom = headroom  # type: ignore[method-assign]  # this store has none
        written = world.position().token

        world.run(turns(2, lambda: seen.append(world.metrics.read(HEADROOM)), 2))

        assert (asked[0], seen) == (written, [99.0])


def test_every_figure_is_listed_with_its_meaning() -> None:
    told = PrometheusMetrics(METRICS).text().decode()

    assert all(metric.name.startswith("twin_cdc_") and metric.meaning.endswith(".") for metric in METRICS)
    assert all(f"# HELP {metric.name}" in told for metric in (LAG, PUBLISHED, LOST))


def token(seconds: int) -> str:
    return (b"\x82" + seconds.to_bytes(4) + (1).to_bytes(4) + b"\x2b").hex().upper()
