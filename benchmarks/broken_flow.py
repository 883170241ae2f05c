"""`python -m benchmarks.broken_flow STAGE raise|kill`: a flow whose handler of one stage fails over a marked post."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event as Flag
from typing import cast

from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.bootstrap import build_registry, open_stream
from twin_feature_stream.ports import Handler
from twin_feature_stream.registry import HANDLED_STAGES, HandlerRegistry
from twin_feature_stream.settings import Settings
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.service import Service, run_process
from twin_platform.telemetry.logs import JsonLogger

MARK = "Wormwood grows here."
"""What a post has to say for the handler to fail over it."""
RAISE, KILL = "raise", "kill"
_LOGGER = JsonLogger("feature-stream")


@dataclass
class FailsOver:
    """A handler that is like another one, the pipeline's hash included, until it comes to the mark."""

    handler: Handler
    how: str

    def __post_init__(self) -> None:
        """Pass for the other handler."""
        self.version = self.handler.version

    def __call__(self, *given: object) -> object:
        """Fail over the mark, else do what the other handler does."""
        if MARK in repr(given):
            if self.how == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            message = "it came to the wormwood"
            raise ZeroDivisionError(message)
        return cast("object", self.handler(*given))  # type: ignore[operator]  # each kind of handler takes its own

    def __repr__(self) -> str:
        """Show what the other handler shows."""
        return repr(self.handler)


def broken(stage: Stage, how: str) -> HandlerRegistry:
    """Return the table with the handler that cleans, chunks or embeds posts broken."""
    registry = build_registry(HashingEmbedder())
    handlers = {Stage.CLEAN: registry.clean, Stage.CHUNK: registry.chunk, Stage.EMBED: registry.embed}
    table: dict[tuple[DocumentType, Stage], Handler] = {
        (kind, one): handlers[one](kind) for kind in DocumentType for one in HANDLED_STAGES
    }
    table[DocumentType.POST, stage] = cast("Handler", FailsOver(table[DocumentType.POST, stage], how))
    return HandlerRegistry(table)


@contextmanager
def _opened(settings: Settings, _stop: Flag) -> Iterator[Sequence[Service]]:
    with open_stream(settings, HashingEmbedder(), _LOGGER, broken(Stage(sys.argv[1]), sys.argv[2])) as services:
        yield services


if __name__ == "__main__":
    sys.exit(run_process(Settings, _opened, _LOGGER))
