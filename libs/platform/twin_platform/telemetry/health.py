"""How a service process is: whether it does its work, late or not at all, and which of its services says so."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

from twin_contracts.http import ComponentStatus, Readiness
from twin_platform.telemetry.metrics import Gauge

STATES: Final = Gauge(
    "twin_component_state",
    "2 ready (a stand-by that waits for its turn, too), 1 degraded: late, not wrong, 0 starting or stopped.",
    labels=("component",),
)
_FIGURES: Final = {"ready": 2.0, "degraded": 1.0}
_PROCESS: Final = "process"
_READY: Final = frozenset({"active", "running", "waiting"})
_SERVING: Final = frozenset({"ready", "degraded"})


class Status(Protocol):
    """What a service tells of itself."""

    @property
    def state(self) -> str:
        """Return `active` or `running`; `waiting`, for its turn; `degraded`, `starting` or `stopped`."""

    @property
    def detail(self) -> str | None:
        """Return why, where there is something to say."""


@runtime_checkable
class Told(Protocol):
    """A service that tells of itself; its thread writes, any reads."""

    @property
    def status(self) -> Status:
        """Return how it is now."""


def component_of(name: str, status: Status) -> ComponentStatus:
    """Return a service's status as it is told to others; a stand-by is as ready as it can be."""
    state = "ready" if status.state in _READY else status.state
    return ComponentStatus.model_validate({"name": name, "state": state, "detail": status.detail})


def figures_of(components: Iterable[ComponentStatus]) -> dict[str, float]:
    """Return each component's state as a figure."""
    return {one.name: _FIGURES.get(one.state, 0.0) for one in components}


class Health:
    """How a process is: what its services tell, and what the process itself tells while it has none. For any thread."""

    def __init__(self) -> None:
        self._services: Sequence[Told] = ()
        self._process = ComponentStatus(name=_PROCESS, state="starting")
        self._has_run = False

    def running(self, services: Sequence[object]) -> None:
        """Have the services speak for the process, those that tell of themselves."""
        self._services, self._has_run = [service for service in services if isinstance(service, Told)], True

    def stopping(self) -> None:
        """Have no services any more."""
        self._tell("stopped", None)

    def waits(self, why: str | None) -> None:
        """Open everything anew in a moment."""
        self._tell("degraded" if self._has_run else "starting", why)

    def readiness(self) -> Readiness:
        """Return whether the process does its work, late or not, and each component's state."""
        told = tuple(component_of(type(one).__name__, one.status) for one in self._services)
        components = told or (self._process,)
        return Readiness(ready=all(one.state in _SERVING for one in components), components=components)

    def figures(self) -> dict[str, float]:
        """Return the readiness as figures."""
        return figures_of(self.readiness().components)

    def _tell(self, state: Literal["starting", "degraded", "stopped"], why: str | None) -> None:
        self._process, self._services = ComponentStatus(name=_PROCESS, state=state, detail=why), ()
