"""A service that fails is built anew while the others go on, and says so meanwhile."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from fakes.clock import SettableClock
from twin_cli.supervise import LAST_BACKOFF, Service, Supervisor
from twin_contracts.http import ComponentStatus
from twin_platform.errors import PermanentError

DEADLINE = 10.0


class RustPanic(BaseException):
    """As PyO3's PanicException: no Exception."""


@dataclass
class Facts:
    told: list[tuple[str, dict[str, str | float | None]]] = field(default_factory=list)

    def event(self, name: str, **fields: str | float | None) -> None:
        self.told.append((name, fields))


class Waits(threading.Event):
    """A stop flag that remembers how long it was waited for, and waits not."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return super().wait(0)


def service(run: Callable[[threading.Event], None], name: str = "flow") -> Service:
    return Service(name, run, lambda: ComponentStatus(name=name, state="ready"))


def until_stopped(stop: threading.Event) -> None:
    threading.Event.wait(stop, DEADLINE)


def wait_for(event: threading.Event) -> None:
    assert event.wait(DEADLINE)


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def supervisor(facts: Facts) -> Iterator[Supervisor]:
    supervisor = Supervisor(facts, SettableClock())
    yield supervisor
    assert supervisor.shut_down(DEADLINE) == []


@pytest.mark.parametrize("error", [RuntimeError("bug"), PermanentError("told"), RustPanic("panic"), SystemExit(1)])
def test_a_service_that_fails_runs_again_whatever_ended_it(
    supervisor: Supervisor, facts: Facts, error: BaseException
) -> None:
    again = threading.Event()
    failures = iter([error])

    def run(stop: threading.Event) -> None:
        for failure in failures:
            raise failure
        again.set()
        stop.wait()

    supervisor.start(service(run))

    wait_for(again)
    assert supervisor.components() == (ComponentStatus(name="flow", state="ready"),)
    ((name, fields),) = facts.told
    assert (name, fields["service"], fields["error"]) == ("service_failed", "flow", f"{type(error).__name__}: {error}")
    assert ("in run" in str(fields["traceback"])) == (not isinstance(error, PermanentError))


def test_between_two_runs_a_service_is_degraded_and_the_others_are_not(supervisor: Supervisor) -> None:
    failed = threading.Event()

    def fail(_stop: threading.Event) -> None:
        raise PermanentError("the folder is gone")

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            failed.set()
            return super().wait(DEADLINE)

    supervisor.stop = Waiting()
    supervisor.start(service(fail))
    supervisor.start(service(until_stopped, "cdc"))

    wait_for(failed)
    degraded = ComponentStatus(name="flow", state="degraded", detail="PermanentError: the folder is gone")
    assert supervisor.components() == (degraded, ComponentStatus(name="cdc", state="ready"))


def test_the_waits_double_up_to_half_a_minute_and_begin_again_after_a_good_run(facts: Facts) -> None:
    clock = SettableClock()
    supervisor = Supervisor(facts, clock)
    waits = Waits()
    supervisor.stop = waits
    runs: list[int] = []

    def run(stop: threading.Event) -> None:
        runs.append(1)
        if len(runs) == 11:
            clock.turn(timedelta(seconds=LAST_BACKOFF + 1))
        if len(runs) == 12:
            stop.set()
        raise PermanentError("again")

    supervisor.start(service(run))

    assert supervisor.shut_down(DEADLINE) == []
    assert waits.seconds == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 0.2, 0.4]


def test_shutting_down_names_what_did_not_end_in_time(facts: Facts) -> None:
    supervisor = Supervisor(facts, SettableClock())
    release = threading.Event()
    supervisor.start(service(lambda _stop: wait_for(release), "stuck"))
    supervisor.start(service(until_stopped, "good"))

    late = supervisor.shut_down(0.05)

    release.set()
    assert late == ["stuck"]
    assert supervisor.shut_down(DEADLINE) == []


def test_a_service_without_an_error_is_degraded_by_its_own_word_alone(supervisor: Supervisor) -> None:
    waiting = ComponentStatus(name="cdc", state="degraded", detail="another process is active")

    supervisor.start(Service("cdc", until_stopped, lambda: waiting))

    assert supervisor.components() == (waiting,)
