"""What a process puts into the record store for the others to read, and how often."""

import threading
from contextlib import nullcontext
from datetime import timedelta

import pytest

from fakes.clock import SettableClock
from fakes.flow import eventually
from fakes.records import InMemoryRecordStore
from fakes.told import Saying, news
from twin_platform import reports
from twin_platform.features.news import ROOM, Listener
from twin_platform.records.errors import RecordsUnavailable
from twin_platform.records.port import Collection, R
from twin_platform.reports import BEAT_SECONDS, DEAD_SECONDS, NEWS_SECONDS, REPORTS, Report, Reporter


class Away(InMemoryRecordStore):
    """Takes nothing while a test says so."""

    away = True

    def put(self, collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        if self.away:
            raise RecordsUnavailable("away")
        return super().put(collection, key, record, if_revision)


def told(records: InMemoryRecordStore) -> Report:
    (stored,) = records.find(REPORTS)
    return stored.record


def flow(records: InMemoryRecordStore, clock: SettableClock, service: Saying) -> Reporter:
    return Reporter(records, clock, {"feature-stream": service}, service.status)


def test_a_process_tells_at_once_how_it_is_and_again_every_two_seconds() -> None:
    records, clock, service = InMemoryRecordStore(), SettableClock(), Saying()
    reporter = Reporter(records, clock, {"cdc": service})
    reporter.tick(Listener())
    service.status.state, service.status.detail = "degraded", "the store is away"

    reporter.tick(Listener())
    before = told(records).components[0]
    clock.turn(timedelta(seconds=BEAT_SECONDS))
    reporter.tick(Listener())

    assert (before.name, before.state) == ("cdc", "ready")
    after = told(records).components[0]
    assert (after.state, after.detail) == ("degraded", "the store is away")
    assert told(records).told is None


def test_news_are_put_at_once_counted_and_kept_for_a_while() -> None:
    records, clock, service, listener = InMemoryRecordStore(), SettableClock(), Saying(), Listener()
    service.status.seconds_to_searchable, service.status.chunks_embedded = 0.25, 7
    reporter = flow(records, clock, service)
    reporter.tick(listener)
    listener.put(news("a"))

    reporter.tick(listener)
    first = told(records)
    clock.turn(timedelta(seconds=NEWS_SECONDS / 2))
    listener.put(news("b"))
    reporter.tick(listener)
    both = told(records)
    clock.turn(timedelta(seconds=NEWS_SECONDS + BEAT_SECONDS))
    reporter.tick(listener)

    assert (first.told, first.news) == (1, (news("a"),))
    assert (both.told, both.news) == (2, (news("a"), news("b")))
    assert (told(records).told, told(records).news) == (2, ())
    assert (first.seconds_to_searchable, first.chunks_embedded) == (0.25, 7)


def test_a_flow_tells_at_once_when_it_has_work_and_when_it_has_none() -> None:
    records, service = InMemoryRecordStore(), Saying()
    reporter = flow(records, SettableClock(), service)
    reporter.tick(Listener())

    service.status.unacknowledged = 3
    reporter.tick(Listener())
    busy = told(records).unacknowledged
    service.status.unacknowledged = 0
    reporter.tick(Listener())

    assert (busy, told(records).unacknowledged) == (3, 0)


def test_the_records_of_the_dead_go_after_an_hour_and_those_of_the_living_stay() -> None:
    records, clock = InMemoryRecordStore(), SettableClock()
    dead, alive, looking = (Reporter(records, clock, {name: Saying()}) for name in ("dead", "alive", "looking"))
    for reporter in (dead, alive, looking):
        reporter.tick(Listener())

    clock.turn(timedelta(seconds=DEAD_SECONDS))
    alive.tick(Listener())
    looking.tick(Listener())

    assert sorted(one.record.components[0].name for one in records.find(REPORTS)) == ["alive", "looking"]


def test_more_news_than_a_record_holds_leave_a_gap_in_the_count() -> None:
    records, listener = InMemoryRecordStore(), Listener()
    reporter = flow(records, SettableClock(), Saying())
    for number in range(ROOM + 1):
        listener.put(news(str(number)))

    reporter.tick(listener)

    assert (told(records).told or 0) > len(told(records).news)
    listener.put(news("heard again"))
    reporter.tick(listener)
    assert told(records).news[-1] == news("heard again")


def test_a_record_store_that_is_away_ends_nothing_and_is_told_when_it_is_back() -> None:
    records, listener = Away(), Listener()
    reporter = flow(records, SettableClock(), Saying())
    listener.put(news("a"))
    reporter.tick(listener)

    records.away = False
    reporter.tick(listener)

    assert told(records).news == (news("a"),)


def test_the_last_news_of_a_stopping_flow_are_told_with_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "TICK_SECONDS", 0.005)
    records, listener, service, stop = InMemoryRecordStore(), Listener(), Saying(), threading.Event()
    reporter = Reporter(records, SettableClock(), {"feature-stream": service}, service.status, nullcontext(listener))
    running = threading.Thread(target=reporter.run, args=(stop,))
    running.start()
    eventually(lambda: bool(records.find(REPORTS)))

    stop.set()
    listener.put(news("last"))
    service.status.state = "stopped"
    running.join()

    assert told(records).news == (news("last"),)
    assert [one.state for one in told(records).components] == ["stopped"]
