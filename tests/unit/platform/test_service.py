"""Running services as a process: what an interrupt at the wrong moment must not leave behind."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event as Flag

import pytest

from fakes.flow import NoLogger
from twin_platform import service
from twin_platform.settings import ServiceSettings
from twin_platform.telemetry.health import Health


class Waiting:
    """A service that runs until it is stopped."""

    def __init__(self) -> None:
        self.ended = False

    def run(self, stop: Flag) -> None:
        stop.wait()
        self.ended = True


class Interrupting(Waiting):
    """A service whose thread the signal comes to: the main thread, which waits, is not woken."""

    def run(self, stop: Flag) -> None:
        stop.wait(0.1)  # the main thread has come to its wait by then
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        super().run(stop)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.mark.timeout(20)
def test_a_signal_that_wakes_nobody_is_heard_all_the_same() -> None:
    """One that comes between the main thread's last look and its wait is such a one: a flow was deaf to SIGINT."""
    waiting, interrupting = Waiting(), Interrupting()

    @contextmanager
    def opened(_settings: ServiceSettings, _stop: Flag) -> Iterator[Sequence[Waiting]]:
        yield waiting, interrupting

    with pytest.raises(KeyboardInterrupt):
        service._run(opened, ServiceSettings.model_construct(), Flag(), Health(), NoLogger())

    assert (waiting.ended, interrupting.ended) == (True, True)


def test_an_interrupt_between_two_starts_stops_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Waiting(), Waiting()
    start, started = threading.Thread.start, list[threading.Thread]()

    def start_one(thread: threading.Thread) -> None:
        if started:
            os.kill(os.getpid(), signal.SIGTERM)
        started.append(thread)
        start(thread)

    @contextmanager
    def opened(_settings: ServiceSettings, _stop: Flag) -> Iterator[Sequence[Waiting]]:
        yield first, second

    monkeypatch.setattr(threading.Thread, "start", start_one)

    with pytest.raises(KeyboardInterrupt):
        service._run(opened, ServiceSettings.model_construct(), Flag(), Health(), NoLogger())

    assert (first.ended, second.ended) == (True, True)
