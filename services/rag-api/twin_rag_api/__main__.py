"""`python -m twin_rag_api`: the REST API as a process of its own. Any number may run over the same stores."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event as Flag
from typing import Final

from twin_contracts.base import uuid_of
from twin_contracts.documents import AuthorRef
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.features.open import read_feature_store
from twin_platform.log.open import open_event_log
from twin_platform.reading.open import open_reader
from twin_platform.records.authors import owner_of
from twin_platform.records.open import open_record_store
from twin_platform.records.positions import is_captured
from twin_platform.service import Service, run_process
from twin_platform.serving import HttpService, listening
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.prometheus import PrometheusMetrics
from twin_rag_api.adapters.open_model import open_model
from twin_rag_api.bootstrap import Parts, build_api, end_streams
from twin_rag_api.metrics import METRICS
from twin_rag_api.others import OtherProcesses
from twin_rag_api.settings import Settings
from twin_rag_api.stores import StoreWatch

_LOGGER = JsonLogger("rag-api")
_METRICS = PrometheusMetrics(METRICS, _LOGGER)
_NOBODY: Final = uuid_of("no document")


@contextmanager
def _opened(settings: Settings, _stop: Flag) -> Iterator[Sequence[Service]]:
    clock = SystemClock()
    with listening(settings.host, settings.port) as bound:  # before a model is fetched, which takes its time
        models = EmbeddingSettings.of(settings)
        embedder = open_embedder(models, partial(_say, "embedder"))
        reader = open_reader(models, partial(_say, "reader"))
        with (
            open_document_store(settings.documents_url, clock) as documents,
            open_record_store(settings.records_url) as records,
            open_event_log(settings.log_url, settings.log_partitions) as log,
            read_feature_store(settings.features_url, embedder.spec) as features,
        ):
            others = OtherProcesses(records)
            stores = (
                StoreWatch("documents", partial(documents.author_of, _NOBODY), without="degraded"),
                StoreWatch("vectors", features.is_empty, without="stopped"),
                StoreWatch("log", log.waiting, without="degraded"),
            )
            parts = Parts(
                documents=documents,
                records=records,
                features=features,
                embedder=embedder,
                reader=reader,
                log=log,
                clock=clock,
                default_author=partial(owner_of, records, otherwise=AuthorRef.of(settings.owner)),
                components=lambda: (*(one.component for one in stores), *others.components()),
                captured=lambda: is_captured(documents, records),
                listen=others.listen,
                seconds_to_searchable=others.seconds_to_searchable,
                chunks_embedded=others.chunks_embedded,
                unacknowledged=others.unacknowledged,
                model=open_model(settings.language_model, partial(_say, "language_model")),
                metrics=_METRICS,
            )
            app = build_api(parts, settings.key.get_secret_value())
            host, port = bound.getsockname()[:2]
            _LOGGER.event("listening", host=host, port=port)
            yield others, *stores, HttpService(app, bound, partial(end_streams, app))


def _say(event: str, told: str) -> None:
    _LOGGER.event(event, told=told)


if __name__ == "__main__":
    sys.exit(run_process(Settings, _opened, _LOGGER))
