"""`python -m twin_feature_stream`: one flow as a process of its own, over stores that it opens by their URLs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event as Flag

from twin_feature_stream.bootstrap import open_stream
from twin_feature_stream.metrics import METRICS
from twin_feature_stream.settings import Settings
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.service import Service, run_process
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.prometheus import PrometheusMetrics

_LOGGER = JsonLogger("feature-stream")
_METRICS = PrometheusMetrics(METRICS, _LOGGER)


@contextmanager
def _opened(settings: Settings, stop: Flag) -> Iterator[Sequence[Service]]:
    embedder = open_embedder(EmbeddingSettings.of(settings), lambda step: _LOGGER.event("embedder", step=step))
    with open_stream(settings, embedder, _LOGGER, metrics=_METRICS, stopping=stop.is_set) as services:
        yield services


if __name__ == "__main__":
    sys.exit(run_process(Settings, _opened, _LOGGER, _METRICS))
