"""What a service process tells of itself: ready, late, or not at all; and its figures."""

from dataclasses import dataclass, field

import pytest

from fakes.relay import RecordingLogger
from twin_contracts.http import ComponentStatus
from twin_platform.telemetry.health import Health, component_of
from twin_platform.telemetry.metrics import Counter, Gauge, Histogram
from twin_platform.telemetry.prometheus import PrometheusMetrics

DONE = Counter("twin_test_done_total", "Work done, by outcome.", labels=("outcome",), values=("well", "badly"))
SECONDS = Histogram("twin_test_seconds", "Seconds of a piece of work.", (1.0, 2.0))
LEFT = Gauge("twin_test_left", "Work left.")
PLACES = Gauge("twin_test_places", "Work by place.", labels=("place",))


@dataclass
class Worker:
    """A service that tells of itself."""

    state: str = "running"
    detail: str | None = None

    @property
    def status(self) -> "Worker":
        return self


@dataclass
class Silent:
    """A service that does not."""

    told: list[str] = field(default_factory=list)


def test_a_process_that_has_not_opened_its_stores_is_starting_and_says_why_it_waits() -> None:
    health = Health()
    health.waits("nobody answers at the database")

    readiness = health.readiness()

    assert not readiness.ready
    assert readiness.components == (
        ComponentStatus(name="process", state="starting", detail="nobody answers at the database"),
    )


def test_a_process_that_opens_everything_anew_is_late_and_not_dead() -> None:
    health = Health()
    health.running([Worker()])
    health.waits("the log is away")

    readiness = health.readiness()

    assert readiness.ready
    assert [(one.state, one.detail) for one in readiness.components] == [("degraded", "the log is away")]


def test_a_service_that_is_degraded_is_told_and_the_process_stays_ready() -> None:
    health = Health()
    health.running([Worker("degraded", "no answer"), Silent()])

    readiness = health.readiness()

    assert readiness.ready
    assert readiness.components == (ComponentStatus(name="Worker", state="degraded", detail="no answer"),)


@pytest.mark.parametrize("state", ["starting", "stopped"])
def test_one_service_that_does_not_run_makes_the_process_unready(state: str) -> None:
    health = Health()
    health.running([Worker(), Worker(state)])

    assert not health.readiness().ready


def test_a_process_that_stops_is_not_ready_whatever_its_services_say() -> None:
    health = Health()
    health.running([Worker()])
    health.stopping()

    assert [one.state for one in health.readiness().components] == ["stopped"]
    assert not health.readiness().ready


def test_a_stand_by_is_ready_and_says_what_it_waits_for() -> None:
    told = component_of("cdc", Worker("waiting", "another one is active"))

    assert (told.state, told.detail) == ("ready", "another one is active")


def test_the_states_are_figures_too() -> None:
    health = Health()
    health.running([Worker("degraded")])
    late = health.figures()
    health.stopping()

    assert (late, health.figures()) == ({"Worker": 1.0}, {"process": 0.0})


def test_counters_are_there_from_the_start_and_histograms_when_they_were_given() -> None:
    metrics = PrometheusMetrics([DONE, SECONDS, LEFT])
    metrics.count(DONE, "well")
    metrics.count(DONE, "well", by=2)
    metrics.observe(SECONDS, 1.5)

    lines = metrics.text().decode().splitlines()

    assert 'twin_test_done_total{outcome="well"} 3.0' in lines
    assert 'twin_test_done_total{outcome="badly"} 0.0' in lines
    assert 'twin_test_seconds_bucket{le="1.0"} 0.0' in lines
    assert 'twin_test_seconds_bucket{le="2.0"} 1.0' in lines
    assert "# HELP twin_test_done_total Work done, by outcome." in lines


def test_a_gauge_is_read_when_it_is_asked_for_and_absent_where_there_is_nothing_to_say() -> None:
    metrics = PrometheusMetrics([LEFT, PLACES])
    left: list[float | None] = [None]
    metrics.show(LEFT, lambda: 99.0)
    metrics.show(LEFT, lambda: left[0])
    metrics.show(PLACES, lambda: {"here": 1.0, "there": 2.0})
    before = metrics.text().decode()
    left[0] = 7.0

    after = metrics.text().decode().splitlines()

    assert "twin_test_left" not in before
    assert "twin_test_left 7.0" in after
    assert {'twin_test_places{place="here"} 1.0', 'twin_test_places{place="there"} 2.0'} <= set(after)


def test_a_gauge_whose_reader_raises_is_absent_and_logged_and_hides_no_other() -> None:
    logger = RecordingLogger()
    metrics = PrometheusMetrics([LEFT, PLACES], logger)

    def broken() -> float:
        raise OSError("no disk")

    metrics.show(LEFT, broken)
    metrics.show(PLACES, lambda: {"here": 1.0})

    told = metrics.text().decode()

    assert "twin_test_left" not in told
    assert 'twin_test_places{place="here"} 1.0' in told
    assert logger.facts == [{"event": "metric_failed", "metric": "twin_test_left", "why": "OSError: no disk"}]


def test_a_histogram_has_a_series_for_each_value_of_its_label() -> None:
    by_place = Histogram("twin_test_by_place_seconds", "Seconds by place.", (1.0,), labels=("place",))
    metrics = PrometheusMetrics([by_place])
    metrics.observe(by_place, 0.5, "here")

    assert 'twin_test_by_place_seconds_count{place="here"} 1.0' in metrics.text().decode()


def test_no_line_tells_when_a_series_began() -> None:
    metrics = PrometheusMetrics([DONE, SECONDS])

    assert "_created" not in metrics.text().decode()


def test_the_process_tells_its_memory() -> None:
    assert b"process_resident_memory_bytes" in PrometheusMetrics([]).text()


def test_a_figure_that_is_not_on_the_list_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        PrometheusMetrics([]).count(DONE)
