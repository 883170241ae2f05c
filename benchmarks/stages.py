"""Where the time of a flow goes: its stages' processor time, each without what it called of another stage."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import local
from typing import Any, cast

from twin_contracts.documents import DocumentType
from twin_contracts.queues import Queue
from twin_contracts.records import Stage
from twin_feature_stream.ports import Handler
from twin_feature_stream.registry import HANDLED_STAGES, HandlerRegistry
from twin_platform.features.engine import Alias, Operation, Upsert
from twin_platform.log.port import EventLog

Named = Mapping[str, str | Callable[..., str]]
"""A method's name -> its stage, or what tells the stage from the arguments."""


@dataclass
class Stopwatch:
    """Adds up processor time per stage, over all threads."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _thread: local = field(default_factory=local)

    def timed(self, stage: str | Callable[..., str], function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with its time counted; what it calls of other stages is counted there alone."""

        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            outer = getattr(self._thread, "inner", 0.0)
            self._thread.inner = 0.0
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                whole = time.thread_time() - began
                self.seconds[stage if isinstance(stage, str) else stage(*arguments)] += whole - self._thread.inner
                self._thread.inner = outer + whole

        return call


@dataclass
class Timed:
    """Stands for an object, and counts the time of its named methods."""

    target: object
    watch: Stopwatch
    stages: Named

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the object has
        """Return the object's attribute, timed where it is a stage."""
        found = getattr(self.target, name)
        return self.watch.timed(self.stages[name], found) if name in self.stages else found


class TimedLog(Timed):
    """An event log whose consumers are timed."""

    def consume(self, queues: Sequence[Queue]) -> Timed:
        """Return a consumer."""
        stages = {"take": "take", "peek_cost": "take", "acknowledge": "acknowledge"}
        return Timed(cast("EventLog", self.target).consume(queues), self.watch, stages)


@dataclass(frozen=True)
class TimedHandler:
    """A handler whose calls are counted; the pipeline's hash sees the handler itself."""

    handler: Handler
    call: Callable[..., Any]

    @property
    def version(self) -> int:
        """Return the handler's."""
        return self.handler.version

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 - whatever the handler takes and gives
        """Call the handler."""
        return self.call(*arguments)

    def __repr__(self) -> str:
        """Return the handler's."""
        return repr(self.handler)


def timed_registry(registry: HandlerRegistry, watch: Stopwatch) -> HandlerRegistry:
    """Return the same table with every handler's time counted."""
    of_stage = {Stage.CLEAN: registry.clean, Stage.CHUNK: registry.chunk, Stage.EMBED: registry.embed}
    table: dict[tuple[DocumentType, Stage], Any] = {}
    for kind in DocumentType:
        for stage in HANDLED_STAGES:
            handler: Any = of_stage[stage](kind)
            table[kind, stage] = TimedHandler(handler, watch.timed(stage.value, handler))
    return HandlerRegistry(table)


def written(alias: Alias, operations: list[Operation]) -> str:
    """Return which stage a write to the engine belongs to."""
    if not isinstance(operations[0], Upsert):
        return "delete chunks"
    return "write records" if alias is Alias.DOCUMENTS else "upsert chunks"
