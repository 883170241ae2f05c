"""A service as a process of its own: settings in, logs out, until a signal or a bug ends it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from queue import Empty, SimpleQueue
from threading import Event as Flag
from types import FrameType
from typing import NoReturn, Protocol, TypeVar

from pydantic import BaseModel

from twin_platform.errors import PermanentError, TransientError
from twin_platform.telemetry.health import Health
from twin_platform.telemetry.logs import Logger
from twin_platform.telemetry.metrics import Exposed
from twin_platform.telemetry.server import Listening, serving

FIRST_BACKOFF = 0.2
LAST_BACKOFF = 30.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.5
CRASH = "A process crashes"
"""Section of the runbook about what is no error of ours: a bug, or the machine's trouble."""
REFUSED = 3
"""Exit status where the settings or a store are a mistake: trying again changes nothing."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What ends a process in good order."""
S = TypeVar("S", bound=BaseModel)
_Endings = SimpleQueue[BaseException | None]


class Service(Protocol):
    """What runs for as long as it is not stopped."""

    def run(self, stop: Flag) -> None:
        """Run until `stop` is set; waits out transient errors by itself, any other is raised."""


def run_process(
    read: Callable[[], S],
    opened: Callable[[S, Flag], AbstractContextManager[Sequence[Service]]],
    logger: Logger,
    metrics: Exposed | None = None,
) -> int:
    """Run the services until SIGTERM or SIGINT and return the exit status; for a main thread.

    Each has a thread. The first that ends with an error ends them all: a transient one has everything opened anew, with
    backoff; a permanent one is told; any other is a bug and raised, so that whoever runs the process sees where. A
    service that does not stop within ten seconds is left behind, and the process ends without it. What ends it names
    its section of the runbook.

    Args:
        read: reads the settings; raises `SettingsInvalid`, which is told.
        opened: yields the services, ready to run; leaving closes what they stand on.
        metrics: served with the process's health where the settings are `Listening` and name a port.
    """
    try:
        for name in _SIGNALS:
            signal.signal(name, _interrupt_once)
        settings, health = read(), Health()
        with _served(settings, health, metrics, logger):
            _keep_running(opened, settings, health, logger)
    except KeyboardInterrupt:
        return 0
    except PermanentError as error:
        sys.stderr.write(f"{error}\n{_see(error.runbook)}")
        return REFUSED
    except BaseException:
        sys.stderr.write(_see(CRASH))
        raise


def _served(settings: S, health: Health, metrics: Exposed | None, logger: Logger) -> AbstractContextManager[str | None]:
    """Serve how the process is, where its settings name a port for that."""
    if metrics is None or not isinstance(settings, Listening) or settings.port is None:
        return nullcontext()
    return serving(health, metrics, settings, logger)


def _keep_running(
    opened: Callable[[S, Flag], AbstractContextManager[Sequence[Service]]], settings: S, health: Health, logger: Logger
) -> NoReturn:
    """Run, anew after each transient error; returns by any other, or by an interrupt."""
    backoff = FIRST_BACKOFF
    while True:
        began, why = time.monotonic(), None
        try:
            _run(opened, settings, Flag(), health, logger)
        except TransientError as error:
            if time.monotonic() - began > LAST_BACKOFF:  # it had recovered
                backoff = FIRST_BACKOFF
            why = str(error)
            logger.event("service_waits", why=why, again_in_seconds=backoff)
        health.waits(why)
        time.sleep(backoff)
        backoff = min(backoff * 2, LAST_BACKOFF)


def _run(
    opened: Callable[[S, Flag], AbstractContextManager[Sequence[Service]]],
    settings: S,
    stop: Flag,
    health: Health,
    logger: Logger,
) -> None:
    """Run once; returns by an error or an interrupt only."""
    with opened(settings, stop) as services:
        endings: _Endings = SimpleQueue()
        threads = [
            threading.Thread(
                target=_run_thread, args=(service, stop, endings), name=type(service).__name__, daemon=True
            )
            for service in services
        ]
        with _told_to(endings):
            health.running(services)
            try:
                for thread in threads:
                    thread.start()
                error = _first(endings)
            finally:
                stop.set()
                health.stopping()
                _join([thread for thread in threads if thread.ident is not None], logger)
    if error is not None:
        raise error


def _first(endings: _Endings) -> BaseException | None:
    """Wait for the first ending, by looks: a signal that comes just before a wait of the main thread wakes nobody."""
    while True:
        with suppress(Empty):
            return endings.get(timeout=LOOK_SECONDS)


@contextmanager
def _told_to(endings: _Endings) -> Iterator[None]:
    """Have a signal end the services in its turn, not in the middle of whatever the main thread is doing just then."""

    def tell(_signal: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        endings.put(KeyboardInterrupt())  # the one queue that may be put to from a signal handler

    before = {name: signal.signal(name, tell) for name in _SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            if signal.getsignal(name) is tell:
                signal.signal(name, handler)


def _see(section: str) -> str:
    return f"docs/runbook.md, section {section!r}, says what to do\n"


def _run_thread(service: Service, stop: Flag, endings: _Endings) -> None:
    try:
        service.run(stop)
        endings.put(None)
    except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no Exception; nothing may end a thread unseen
        endings.put(error)


def _join(threads: Sequence[threading.Thread], logger: Logger) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [thread.name for thread in threads if thread.is_alive()]
    if left:
        logger.event("service_did_not_stop", service=", ".join(left))
        os._exit(1)  # closing the stores under a running thread would be worse than a kill, which they survive


def _interrupt_once(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop, and let nothing interrupt that; who loses patience kills."""
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for name in _SIGNALS:
        signal.signal(name, signal.SIG_IGN)
