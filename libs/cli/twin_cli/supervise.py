"""Service threads that are started again when they end with an error, and say so."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from twin_contracts.http import ComponentStatus
from twin_platform.errors import PlatformError
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.logs import Logger

FIRST_BACKOFF = 0.2
LAST_BACKOFF = 30.0
STOP_SECONDS = 10.0


@dataclass
class Service:
    """One service: built anew for each run, from stores that stay open."""

    name: str
    run: Callable[[threading.Event], None]
    """Runs until the flag is set; may raise."""
    status: Callable[[], ComponentStatus]


@dataclass
class Supervisor:
    """Runs services as threads; one that ends with an error is rebuilt with backoff while the others go on."""

    logger: Logger
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    _threads: dict[str, threading.Thread] = field(default_factory=dict)
    _services: list[Service] = field(default_factory=list)
    _failures: dict[str, str] = field(default_factory=dict)

    def start(self, service: Service) -> None:
        """Start the service's thread."""
        thread = threading.Thread(target=self._keep_running, args=(service,), name=service.name, daemon=True)
        self._services.append(service)
        self._threads[service.name] = thread
        thread.start()

    def components(self) -> tuple[ComponentStatus, ...]:
        """Return every service's state; one between two runs is degraded and says why."""
        return tuple(self._component(service) for service in self._services)

    def shut_down(self, seconds: float = STOP_SECONDS) -> list[str]:
        """Set the flag and wait for the threads; return the names of those that did not end in time."""
        self.stop.set()
        deadline = self.clock.monotonic() + seconds
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - self.clock.monotonic()))
        return [name for name, thread in self._threads.items() if thread.is_alive()]

    def _component(self, service: Service) -> ComponentStatus:
        failure = self._failures.get(service.name)
        return ComponentStatus(name=service.name, state="degraded", detail=failure) if failure else service.status()

    def _keep_running(self, service: Service) -> None:
        backoff = FIRST_BACKOFF
        while not self.stop.is_set():
            began = self.clock.monotonic()
            try:
                self._failures.pop(service.name, None)
                service.run(self.stop)
            except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no Exception; nothing may end a thread unseen
                if self.clock.monotonic() - began > LAST_BACKOFF:  # it had recovered
                    backoff = FIRST_BACKOFF
                self._tell(service, error)
                self.stop.wait(backoff)
                backoff = min(backoff * 2, LAST_BACKOFF)

    def _tell(self, service: Service, error: BaseException) -> None:
        told = f"{type(error).__name__}: {error}"
        self._failures[service.name] = told
        where = None if isinstance(error, PlatformError) else "".join(traceback.format_tb(error.__traceback__))
        self.logger.event("service_failed", service=service.name, error=told, traceback=where)
