"""Processes that die: from that moment nothing that they do reaches a store, their cleaning up neither."""

import threading
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn, TypeVar, cast

from twin_contracts.documents import DocumentType, Raw
from twin_contracts.records import Stage
from twin_feature_stream.ports import CleanDocument, CleanHandler, Rejected
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.errors import TransientError

T = TypeVar("T")
_LOOKS = {"take", "peek_cost", "missing"}
"""How often a flow looks for work is a matter of its speed; a life is not measured in these."""


class Died(TransientError):
    """Ends whatever runs in a dead process."""


@dataclass
class Life:
    """One process's: it reaches the stores through `of`, until it ends."""

    calls: int | None = None
    """It ends before this call of a store; None: never by itself."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def end(self) -> NoReturn:
        """Die here and now, as by SIGKILL."""
        self.is_over.set()
        raise Died

    def of(self, store: T) -> T:
        """Return the store as this process sees it."""
        return cast("T", _Mortal(store, self))

    def spend(self, call: str) -> None:
        """Count a call of a store; no call of a dead process arrives."""
        if self.calls is not None and call not in _LOOKS:
            self.calls -= 1
        if self.is_over.is_set() or self.calls == 0:
            self.end()


class _Mortal:
    def __init__(self, store: object, life: Life) -> None:
        self._store, self._life = store, life

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*arguments: object, **named: object) -> object:
            if name == "close" and self._life.is_over.is_set():
                return None
            self._life.spend(name)
            result = found(*arguments, **named)
            return self._life.of(result) if name == "consume" else result

        return call


@dataclass(frozen=True)
class Deadly:
    """Cleans posts, and kills the process over one that says so."""

    version: ClassVar[int] = 1

    clean: CleanHandler
    life: Life | None = field(repr=False)

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        if self.life and "kill" in document.text:
            self.life.end()
        return self.clean(document)


def deadly_registry(registry: HandlerRegistry, life: Life | None) -> HandlerRegistry:
    """Return the handlers of a process that posts can kill; without a life they cannot."""
    clean = Deadly(registry.clean(DocumentType.POST), life)
    return HandlerRegistry({**registry._table, (DocumentType.POST, Stage.CLEAN): clean})
