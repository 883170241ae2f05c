"""Whether the stores answer that an API stands on which is a process of its own."""

from collections.abc import Callable
from threading import Event as Flag
from typing import Final, Literal

from twin_contracts.http import ComponentStatus
from twin_platform.errors import TransientError

ASK_SECONDS: Final = 2.0


class StoreWatch:
    """The service that asks one store, so that nobody who wants to know waits for one that does not answer."""

    def __init__(self, name: str, ask: Callable[[], object], without: Literal["degraded", "stopped"]) -> None:
        """Prepare to ask.

        Args:
            name: the store's, as a component.
            ask: a question that costs it nothing.
            without: how the API is while the store is away: late in something, or unable to answer.
        """
        self._ask, self._without = ask, without
        self.component = ComponentStatus(name=name, state="starting")
        """How it was when it was asked last."""

    def run(self, stop: Flag) -> None:
        """Ask until `stop` is set."""
        while not stop.is_set():
            self.component = self._answer()
            stop.wait(ASK_SECONDS)

    def _answer(self) -> ComponentStatus:
        try:
            self._ask()
        except TransientError as error:
            return ComponentStatus(name=self.component.name, state=self._without, detail=str(error))
        return ComponentStatus(name=self.component.name, state="ready")
