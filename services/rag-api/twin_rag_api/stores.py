"""Whether the stores answer that an API stands on which is a process of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final, Literal

from twin_contracts.http import ComponentStatus
from twin_platform.errors import TransientError

ASK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A store, by a question that costs it nothing."""

    ask: Callable[[], object]
    without: Literal["degraded", "stopped"]
    """How the API is while the store is away: late in something, or unable to answer."""


class StoreWatch:
    """The service that asks them, so that nobody who wants to know has to wait for one that does not answer."""

    def __init__(self, stores: Mapping[str, Asked]) -> None:
        """Prepare to ask these."""
        self._stores = stores
        self._found = {name: ComponentStatus(name=name, state="starting") for name in stores}

    def run(self, stop: Flag) -> None:
        """Ask until `stop` is set."""
        while not stop.is_set():
            for name, store in self._stores.items():
                self._found[name] = _answer(name, store)
            stop.wait(ASK_SECONDS)

    def components(self) -> tuple[ComponentStatus, ...]:
        """Return how each was when it was asked last."""
        return tuple(self._found.values())


def _answer(name: str, store: Asked) -> ComponentStatus:
    try:
        store.ask()
    except TransientError as error:
        return ComponentStatus(name=name, state=store.without, detail=str(error))
    return ComponentStatus(name=name, state="ready")
