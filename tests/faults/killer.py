"""`python -m faults.killer`: a flow that a post kills by saying so, as a broken native library would."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event as Flag
from typing import ClassVar

from twin_contracts.documents import DocumentType, Raw
from twin_contracts.records import Stage
from twin_feature_stream.bootstrap import build_registry, open_stream
from twin_feature_stream.ports import CleanDocument, CleanHandler, Rejected
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.settings import Settings
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.embedding.port import Embedder
from twin_platform.service import Service, run_process
from twin_platform.telemetry.logs import JsonLogger

MARKER = "this post kills"
"""A post whose text holds it kills the process with SIGKILL."""
_LOGGER = JsonLogger("feature-stream")


@dataclass(frozen=True)
class CleanOrDie:
    version: ClassVar[int] = 1

    clean: CleanHandler

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        if MARKER in document.text:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.clean(document)


def deadly_registry(embedder: Embedder) -> HandlerRegistry:
    """Return the product's handlers but for the posts' clean."""
    registry = build_registry(embedder)
    clean = CleanOrDie(registry.clean(DocumentType.POST))
    return HandlerRegistry({**registry._table, (DocumentType.POST, Stage.CLEAN): clean})


@contextmanager
def _opened(settings: Settings, _stop: Flag) -> Iterator[Sequence[Service]]:
    embedder = HashingEmbedder()
    with open_stream(settings, embedder, _LOGGER, deadly_registry(embedder)) as services:
        yield services


if __name__ == "__main__":
    sys.exit(run_process(Settings, _opened, _LOGGER))
