"""`python -m twin_crawler`: the crawler as a process of its own, over stores that it opens by their URLs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event as Flag

from twin_contracts.documents import AuthorRef
from twin_crawler.bootstrap import Stores, open_crawler
from twin_crawler.http import CrawlerRoutes
from twin_crawler.metrics import METRICS
from twin_crawler.settings import Settings
from twin_platform.documents.open import open_document_store
from twin_platform.records.authors import owner_of
from twin_platform.records.open import open_record_store
from twin_platform.reports import Reporter
from twin_platform.service import Service, run_process
from twin_platform.serving import HttpService, listening
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.health import component_of
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.prometheus import PrometheusMetrics

_LOGGER = JsonLogger("crawler")
_METRICS = PrometheusMetrics(METRICS, _LOGGER)


@contextmanager
def _opened(settings: Settings, stop: Flag) -> Iterator[Sequence[Service]]:
    clock = SystemClock()
    with (
        listening(settings.host, settings.port) as bound,
        open_document_store(settings.documents_url, clock) as documents,
        open_record_store(settings.records_url) as records,
    ):
        owner = partial(owner_of, records, otherwise=AuthorRef.of(settings.owner))
        stores = Stores(documents, records, clock, _METRICS)
        with open_crawler(stores, owner, settings.allow_hosts, settings.name, _LOGGER, stop) as crawler:
            key = settings.key.get_secret_value()
            routes = CrawlerRoutes(records, clock, lambda: component_of("crawler", crawler.status), key, _METRICS)
            yield crawler, HttpService(routes.app(), bound), Reporter(records, clock, {"crawler": crawler})


if __name__ == "__main__":
    sys.exit(run_process(Settings, _opened, _LOGGER))
