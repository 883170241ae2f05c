"""Housekeeping: once a day and when all is quiet, and nothing stays but what the documents need."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from fakes.audited import Audited
from fakes.flow import eventually
from twin_contracts.audit import AuditReport
from twin_contracts.documents import document_id_of
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_feature_stream import housekeeping
from twin_feature_stream.housekeeping import Housekeeper
from twin_platform.features.errors import FeaturesUnavailable
from twin_platform.features.port import ApplyDocument, ApplySlice
from twin_platform.records.audits import AUDIT_REPORTS, ask_audit, audit_report, last_report
from twin_platform.records.reemissions import FINISHED_REEMISSIONS, ask_reemission, finish_reemission

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world() -> Audited:
    world = Audited()
    world.put("a", "first", "second")
    world.capture()
    return world


@pytest.fixture
def keeper(world: Audited) -> Housekeeper:
    """A housekeeper that has looked once, and so knows since when the installation is there."""
    keeper = world.housekeeper()
    keeper.look(world.stop)
    return keeper


def audits(world: Audited) -> list[str]:
    return [stored.record.reason for stored in world.records.find(AUDIT_REPORTS)]


@contextmanager
def running(keeper: Housekeeper) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()


class TestWhen:
    def test_on_a_fresh_installation_it_is_done_first_after_a_day(self, world: Audited, keeper: Housekeeper) -> None:
        world.pass_time(23 * HOUR, keeper)
        before = audits(world)

        world.pass_time(HOUR, keeper)

        assert (before, audits(world)) == ([], ["housekeeping"])

    def test_it_is_done_once_a_day(self, world: Audited, keeper: Housekeeper) -> None:
        for _ in range(8):
            world.pass_time(12 * HOUR, keeper)

        assert len(audits(world)) == 4

    def test_what_is_overdue_is_done_after_the_next_start(self, world: Audited, keeper: Housekeeper) -> None:
        world.clock.turn(9 * DAY)
        started = world.housekeeper()
        world.pass_time(timedelta(seconds=59), started)
        before = audits(world)

        world.pass_time(timedelta(seconds=1), started)

        assert (before, audits(world)) == ([], ["housekeeping"])

    def test_it_waits_until_nothing_is_on_its_way(self, world: Audited, keeper: Housekeeper) -> None:
        request = ask_reemission(world.records, world.clock, "test")
        world.pass_time(DAY, keeper)
        before = audits(world)
        finish_reemission(world.records, world.clock, request)

        world.pass_time(HOUR, keeper)

        assert (before, audits(world)) == ([], ["housekeeping"])

    def test_stopped_in_between_it_is_done_again(self, world: Audited, keeper: Housekeeper) -> None:
        world.stop.set()
        world.pass_time(2 * DAY, keeper)
        world.stop.clear()
        before = last_report(world.records)

        world.pass_time(HOUR, keeper)

        assert before is None
        assert last_report(world.records) is not None


class TestWhatIsForgotten:
    def test_tombstones_go_after_thirty_days(self, world: Audited, keeper: Housekeeper) -> None:
        tombstone = DocumentRecord.tombstone(document_id_of("gone"), world.version())
        world.features.apply([ApplyDocument(tombstone)])
        world.pass_time(30 * DAY - HOUR, keeper)
        before = world.features.count_records(RecordStatus.DELETED)

        world.pass_time(2 * DAY, keeper)

        assert (before, world.features.count_records(RecordStatus.DELETED)) == (1, 0)

    def test_tombstones_stay_where_an_event_waits(
        self, world: Audited, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tombstone = DocumentRecord.tombstone(document_id_of("gone"), world.version())
        world.features.apply([ApplyDocument(tombstone)])
        monkeypatch.setattr(world.features, "find_records", _publishing(world))

        world.pass_time(40 * DAY, keeper)

        assert world.features.count_records(RecordStatus.DELETED) == 1

    def test_deletions_of_the_store_go_with_them(self, world: Audited, keeper: Housekeeper) -> None:
        document_id = world.put("gone", "text")
        world.documents.delete(document_id)
        world.features.apply([ApplyDocument(DocumentRecord.tombstone(document_id, world.version()))])

        world.pass_time(31 * DAY, keeper)

        assert document_id not in world.documents.contents.rows  # type: ignore[attr-defined]

    def test_finished_re_emissions_go_after_a_week(self, world: Audited, keeper: Housekeeper) -> None:
        finish_reemission(world.records, world.clock, ask_reemission(world.records, world.clock, "old"))
        world.clock.turn(6 * DAY)
        new = ask_reemission(world.records, world.clock, "new")
        finish_reemission(world.records, world.clock, new)

        world.pass_time(2 * DAY, keeper)

        assert [stored.key for stored in world.records.find(FINISHED_REEMISSIONS)] == [new.id]

    def test_reports_of_audits_go_after_a_week(self, world: Audited, keeper: Housekeeper) -> None:
        for _ in range(20):
            world.pass_time(DAY, keeper)

        assert 7 <= len(audits(world)) <= 8

    def test_stores_give_back_their_room(
        self, world: Audited, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        left = {"documents": 2, "records": 1, "log": 0}

        def compact(name: str) -> bool:
            done.append(name)
            left[name] -= 1
            return left[name] >= 0

        for name in left:
            monkeypatch.setattr(getattr(world, name), "compact", lambda name=name: compact(name))
        monkeypatch.setattr(world.features, "optimize", lambda: done.append("optimize"))

        world.pass_time(DAY, keeper)

        assert done == ["documents"] * 3 + ["records"] * 2 + ["log", "optimize"]


class TestWatchedChunks:
    def test_a_chunk_that_is_nobodys_for_an_hour_goes(self, world: Audited, keeper: Housekeeper) -> None:
        [left] = world.slice(world.store("a", "first", "second"), "nobody's")
        report = world.audited(keeper)
        _settle(world)
        world.pass_time(HOUR - timedelta(seconds=1), keeper)
        before = left.id in world.stored()

        world.pass_time(timedelta(seconds=1), keeper)

        assert (report.chunks_watched, before, left.id in world.stored()) == (1, True, False)
        assert _watched_and_removed(world, report) == (0, 1)

    def test_one_whose_record_came_within_the_hour_stays(self, world: Audited, keeper: Housekeeper) -> None:
        change = world.change(world.store("b", "text"), ("text",))
        world.features.apply([ApplySlice(change.chunks)])
        report = world.audited(keeper)
        _settle(world)
        world.features.apply([change])

        world.pass_time(2 * HOUR, keeper)

        assert change.chunks[0].id in world.stored()
        assert _watched_and_removed(world, report) == (0, 0)

    def test_one_that_was_written_again_within_the_hour_stays(self, world: Audited, keeper: Housekeeper) -> None:
        document = world.store("b", "text")
        world.slice(document, "nobody's")
        world.audited(keeper)
        _settle(world)
        [again] = world.slice(document, "nobody's")

        world.pass_time(2 * HOUR, keeper)

        assert again.id in world.stored()

    def test_nothing_is_removed_while_an_event_waits_that_it_may_belong_to(
        self, world: Audited, keeper: Housekeeper
    ) -> None:
        [left] = world.slice(world.store("b", "text"), "nobody's")
        world.audited(keeper)

        world.pass_time(2 * HOUR, keeper)

        assert world.asked()
        assert left.id in world.stored()

    def test_a_second_audit_does_not_begin_the_hour_anew(self, world: Audited, keeper: Housekeeper) -> None:
        [left] = world.slice(world.store("a", "first", "second"), "nobody's")
        world.audited(keeper)
        _settle(world)
        world.clock.turn(HOUR / 2)
        world.audited(keeper)
        _settle(world)

        world.pass_time(HOUR / 2, keeper)

        assert left.id not in world.stored()


class TestService:
    def test_it_carries_out_what_is_asked_for_and_ends_within_a_second(self, world: Audited) -> None:
        keeper = world.housekeeper()
        with running(keeper):
            asked = ask_audit(world.records, world.clock, "test")
            eventually(lambda: last_report(world.records) is not None)

        assert audit_report(world.records, asked.id) == last_report(world.records)
        assert keeper.status.state == "stopped"

    def test_one_process_at_a_time_keeps_house(self, world: Audited) -> None:
        ask_audit(world.records, world.clock, "test")

        with world.log.exclusive("feature-stream.housekeeping"):
            world.housekeeper().look(world.stop)
        beside = last_report(world.records)
        world.housekeeper().look(world.stop)

        assert beside is None
        assert last_report(world.records) is not None

    def test_a_store_that_is_away_is_waited_out(self, world: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
        keeper = world.housekeeper()
        monkeypatch.setattr(housekeeping, "FIRST_BACKOFF", 0.01)
        count_chunks = world.features.count_chunks
        failures = [FeaturesUnavailable("away")]

        def failing() -> int:
            if failures:
                raise failures.pop()
            return count_chunks()

        monkeypatch.setattr(world.features, "count_chunks", failing)
        ask_audit(world.records, world.clock, "test")
        with running(keeper):
            eventually(lambda: last_report(world.records) is not None)
            eventually(lambda: keeper.status.detail is None)

        assert failures == []


def _settle(world: Audited) -> None:
    """Finish what was asked for, as if it had changed nothing."""
    for request in world.asked():
        finish_reemission(world.records, world.clock, request)


def _watched_and_removed(world: Audited, report: AuditReport) -> tuple[int, int]:
    now = audit_report(world.records, report.id)
    assert now is not None
    return now.chunks_watched, now.chunks_removed


def _publishing(world: Audited) -> object:
    """Return `find_records` that asks for a re-emission beside it."""
    find_records = world.features.find_records

    def found(**options: object) -> object:
        ask_reemission(world.records, world.clock, "meanwhile")
        return find_records(**options)  # type: ignore[arg-type]

    return found
