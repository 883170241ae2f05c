"""What an API in a process of its own knows of the other processes, by their reports alone."""

from datetime import timedelta

from fakes.clock import SettableClock
from fakes.records import InMemoryRecordStore
from fakes.told import Saying, news
from twin_contracts.http import ComponentStatus
from twin_platform.features.news import ROOM, Listener
from twin_platform.reports import BEAT_SECONDS, Reporter
from twin_rag_api.others import SILENT_LOOKS, OtherProcesses


class Another:
    """A process beside the API's: ticks when a test says so."""

    def __init__(self, records: InMemoryRecordStore, name: str) -> None:
        self.service, self.listener, self.clock = Saying(), Listener(), SettableClock()
        figures = self.service.status if name.startswith("feature-stream") else None
        self.reporter = Reporter(records, self.clock, {name: self.service}, figures)
        self.beat()

    def beat(self) -> None:
        self.clock.turn(timedelta(seconds=BEAT_SECONDS))
        self.reporter.tick(self.listener)

    def applies(self, name: str) -> None:
        self.listener.put(news(name))
        self.reporter.tick(self.listener)


def system() -> tuple[InMemoryRecordStore, OtherProcesses, dict[str, Another]]:
    records = InMemoryRecordStore()
    others = OtherProcesses(records)
    return records, others, {name: Another(records, name) for name in ("cdc", "feature-stream 0", "crawler")}


def look(others: OtherProcesses, times: int = 1) -> None:
    for _ in range(times):
        others.look()


def state_of(others: OtherProcesses, name: str) -> ComponentStatus:
    return next(one for one in others.components() if one.name == name)


def test_nothing_is_known_before_the_first_look() -> None:
    _, others, _ = system()

    assert [(one.name, one.state) for one in others.components()] == [("records", "starting")]


def test_each_service_is_told_as_it_tells_of_itself() -> None:
    _, others, processes = system()
    processes["cdc"].service.status.state = "degraded"
    processes["cdc"].beat()

    look(others)

    states = [(one.name, one.state) for one in others.components()]
    assert states == [("cdc", "degraded"), ("crawler", "ready"), ("feature-stream 0", "ready")]


def test_what_nobody_runs_is_named_with_how_to_start_it() -> None:
    records = InMemoryRecordStore()
    others = OtherProcesses(records)

    look(others)

    assert {one.name: one.state for one in others.components()} == dict.fromkeys(
        ("cdc", "crawler", "feature-stream"), "degraded"
    )
    assert "python -m twin_cdc" in (state_of(others, "cdc").detail or "")


def test_a_process_that_falls_silent_is_degraded_and_one_that_stands_by_makes_up_for_it() -> None:
    records, others, _ = system()
    look(others, SILENT_LOOKS + 1)
    silent = state_of(others, "cdc")

    stand_by = Another(records, "cdc")
    stand_by.beat()
    look(others)

    assert silent.state == "degraded"
    assert "nothing heard" in (silent.detail or "")
    assert state_of(others, "cdc").state == "ready"


def test_a_stand_by_is_not_told_in_place_of_the_active_one() -> None:
    records, others, _ = system()
    waiting = Another(records, "cdc")
    waiting.service.status.state, waiting.service.status.detail = "waiting", "held by another process"
    waiting.beat()

    look(others)

    assert state_of(others, "cdc").detail is None


def test_a_process_that_ended_in_order_is_not_missed_for_long() -> None:
    records, others, _ = system()
    again = Another(records, "crawler 2")
    again.service.status.state = "stopped"
    again.beat()

    look(others)
    soon = state_of(others, "crawler 2")
    look(others, SILENT_LOOKS)

    assert soon.state == "degraded"
    assert "crawler 2" not in [one.name for one in others.components()]


def test_figures_are_the_slowest_flows_and_all_flows_together() -> None:
    records, others, processes = system()
    processes["feature-stream 1"] = Another(records, "feature-stream 1")
    for name, seconds, chunks in (("feature-stream 0", 0.2, 3), ("feature-stream 1", 0.5, 4)):
        status = processes[name].service.status
        status.seconds_to_searchable, status.chunks_embedded, status.unacknowledged = seconds, chunks, 10
        processes[name].beat()

    look(others)

    assert (others.seconds_to_searchable(), others.chunks_embedded(), others.unacknowledged()) == (0.5, 7, 20)


def test_the_figures_of_a_flow_that_ended_in_order_count_no_longer() -> None:
    _, others, processes = system()
    flow = processes["feature-stream 0"]
    flow.service.status.chunks_embedded, flow.service.status.seconds_to_searchable = 3, 0.2
    flow.service.status.state = "stopped"
    flow.beat()

    look(others)

    assert (others.seconds_to_searchable(), others.chunks_embedded()) == (None, 0)


def test_a_listener_hears_each_news_once_and_none_from_before() -> None:
    records, others, processes = system()
    flow = processes["feature-stream 0"]
    flow.applies("before")
    look(others)
    with others.listen() as listener:
        flow.applies("a")
        look(others, 2)
        flow.applies("b")
        later = Another(records, "feature-stream 1")
        later.applies("c")
        look(others, 2)

        heard = [one.title for one in listener.take()]

    assert sorted(filter(None, heard)) == ["a", "b", "c"]
    assert not listener.lost


def test_who_would_miss_something_is_let_go() -> None:
    _, others, processes = system()
    look(others)
    with others.listen() as listener:
        for number in range(ROOM + 1):
            processes["feature-stream 0"].listener.put(news(str(number)))
        processes["feature-stream 0"].beat()
        look(others)

        assert listener.lost


def test_listeners_are_let_go_where_a_flow_dies_and_not_where_it_ends_in_order() -> None:
    _, others, processes = system()
    flow = processes["feature-stream 0"]
    look(others)
    with others.listen() as listener:
        flow.service.status.state = "stopped"
        flow.beat()
        look(others, SILENT_LOOKS + 1)
        assert not listener.lost

    _, others, _ = system()
    look(others)
    with others.listen() as listener:
        look(others, SILENT_LOOKS + 1)
        assert listener.lost
