"""`python -m benchmarks.waiting_flow MILLISECONDS`: a flow whose cleaning waits so long over each document."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag

from twin_contracts.documents import DocumentType, Raw
from twin_contracts.records import Stage
from twin_feature_stream.bootstrap import build_registry, open_stream
from twin_feature_stream.ports import CleanDocument, CleanHandler, Handler, Rejected
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.settings import Settings
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.service import Service, run_process
from twin_platform.telemetry.logs import JsonLogger

_LOGGER = JsonLogger("feature-stream")


@dataclass
class Waits:
    """Cleans as another handler does, the pipeline's hash included, after a wait."""

    clean: CleanHandler
    seconds: float = field(repr=False)

    def __post_init__(self) -> None:
        """Pass for the other handler."""
        self.version = self.clean.version

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        """Wait, then clean."""
        time.sleep(self.seconds)
        return self.clean(document)

    def __repr__(self) -> str:
        """Show what the other handler shows."""
        return repr(self.clean)


def waiting(seconds: float) -> HandlerRegistry:
    """Return the table with every handler that cleans made to wait."""
    registry = build_registry(HashingEmbedder())
    table: dict[tuple[DocumentType, Stage], Handler] = {}
    for kind in DocumentType:
        table[kind, Stage.CLEAN] = Waits(registry.clean(kind), seconds)  # type: ignore[assignment]  # an instance's version
        table[kind, Stage.CHUNK] = registry.chunk(kind)
        table[kind, Stage.EMBED] = registry.embed(kind)
    return HandlerRegistry(table)


@contextmanager
def _opened(settings: Settings, _stop: Flag) -> Iterator[Sequence[Service]]:
    with open_stream(settings, HashingEmbedder(), _LOGGER, waiting(float(sys.argv[1]) / 1000)) as services:
        yield services


if __name__ == "__main__":
    sys.exit(run_process(Settings, _opened, _LOGGER))
