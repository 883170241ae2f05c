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
    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}

    with pytest.raises(KeyboardInterrupt):
        service._run(opened, ServiceSettings.model_construct(), Flag(), Health(), NoLogger())

    for name, handler in handlers.items():
        signal.signal(name, handler)
    assert (first.ended, second.ended) == (True, True)
