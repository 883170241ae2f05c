"""Composition of cdc over stores that it opens by their URLs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event as Flag

from twin_cdc.relay import Relay
from twin_cdc.settings import Settings
from twin_platform.documents.open import open_document_store
from twin_platform.log.open import open_event_log
from twin_platform.records.open import open_record_store
from twin_platform.reports import Reporter
from twin_platform.service import Service
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.metrics import Metrics, NoMetrics


@contextmanager
def open_relay(settings: Settings, _stop: Flag, metrics: Metrics | None = None) -> Iterator[Sequence[Service]]:
    """Yield the service, ready to run; its stores are closed afterwards."""
    clock = SystemClock()
    with (
        open_document_store(settings.documents_url, clock) as documents,
        open_record_store(settings.records_url) as records,
        open_event_log(settings.log_url, settings.log_partitions) as log,
    ):
        relay = Relay(documents, log, records, clock, JsonLogger("cdc"), metrics=metrics or NoMetrics())
        yield relay, Reporter(records, clock, {"cdc": relay})
