"""`python -m twin_crawler`: the crawler as a process of its own, over stores that it opens by their URLs."""

import os
import sys
import threading
import traceback
from functools import partial

import uvicorn

from twin_contracts.documents import AuthorRef
from twin_contracts.http import ComponentStatus
from twin_crawler.bootstrap import Stores, open_crawler
from twin_crawler.http import CrawlerRoutes
from twin_crawler.service import CrawlerService
from twin_crawler.settings import Settings
from twin_platform.documents.open import open_document_store
from twin_platform.errors import PlatformError
from twin_platform.records.authors import owner_of
from twin_platform.records.open import open_record_store
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger

STOP_SECONDS = 10.0


def main() -> int:
    """Crawl and serve until a signal; return the exit status."""
    try:
        _run(Settings())
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(settings: Settings) -> None:
    clock, stop = SystemClock(), threading.Event()
    with (
        open_document_store(settings.documents_url, clock) as documents,
        open_record_store(settings.records_url) as records,
    ):
        owner = partial(owner_of, records, otherwise=AuthorRef.of(settings.owner))
        stores = Stores(documents, records, clock)
        with open_crawler(stores, owner, settings.allow_hosts, settings.name, JsonLogger("crawler"), stop) as crawler:
            thread = threading.Thread(target=_crawl, args=(crawler, stop), name="crawler", daemon=True)
            thread.start()
            routes = CrawlerRoutes(records, clock, partial(_status, crawler), settings.key.get_secret_value())
            try:
                uvicorn.run(routes.app(), host=settings.host, port=settings.port, log_level="warning", lifespan="off")
            finally:
                stop.set()
                thread.join(STOP_SECONDS)


def _crawl(crawler: CrawlerService, stop: threading.Event) -> None:
    """Run the crawler; a bug ends the process, so that whoever runs it starts another."""
    try:
        crawler.run(stop)
    except BaseException:  # noqa: BLE001 - nothing may end a thread unseen
        traceback.print_exc()
        os._exit(1)


def _status(crawler: CrawlerService) -> ComponentStatus:
    state = "ready" if crawler.status.state == "running" else crawler.status.state
    return ComponentStatus.model_validate({"name": "crawler", "state": state, "detail": crawler.status.detail})


if __name__ == "__main__":
    sys.exit(main())
