"""`python -m integration.late_cdc STORE COUNT`: a cdc whose log confirms late, and that has COUNT documents to publish.

STORE is `sqlite`, or `mongodb`: then the documents are in the MongoDB in memory, inside this process. Documents are
written once cdc is at rest, and where they end is logged.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event as Flag
from threading import Timer

from fakes.flow import post
from fakes.mongo import Server
from twin_cdc.relay import Relay
from twin_cdc.settings import Settings
from twin_contracts.queues import Queue
from twin_platform.documents.mongo import MongoDocumentStore
from twin_platform.documents.mongo_prepare import prepare
from twin_platform.documents.open import open_document_store
from twin_platform.documents.port import DocumentStore
from twin_platform.log.open import open_event_log
from twin_platform.log.port import Confirmation, Event, EventLog
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import is_captured
from twin_platform.records.reemissions import open_reemissions
from twin_platform.service import Service, run_process
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger

LATE_SECONDS = 0.5
_LOGGER = JsonLogger("cdc")


class LateLog:
    """Stores at once, and says so half a second later."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        told: Confirmation = Future()

        def tell_late(_: Confirmation) -> None:
            timer = Timer(LATE_SECONDS, told.set_result, (None,))
            timer.daemon = True
            timer.start()

        self._log.publish(queue, event).add_done_callback(tell_late)
        return told


@dataclass
class Writer:
    """Writes the documents once there is nothing else to do."""

    documents: DocumentStore
    records: RecordStore
    count: int

    def run(self, stop: Flag) -> None:
        while not is_captured(self.documents, self.records) or open_reemissions(self.records):
            if stop.wait(0.01):
                return
        for number in range(self.count):
            self.documents.upsert(post(str(number), "A text."))
        version = self.documents.read([]).version
        _LOGGER.event("written", seconds=version.seconds, increment=version.increment)
        stop.wait()


@contextmanager
def documents_of(settings: Settings, store: str) -> Iterator[DocumentStore]:
    clock = SystemClock()
    if store == "sqlite":
        with open_document_store(settings.documents_url, clock) as documents:
            yield documents
    else:
        server = Server()
        prepare(server.handle())
        yield MongoDocumentStore(server.handle(), clock)


@contextmanager
def opened(settings: Settings, _stop: Flag) -> Iterator[tuple[Service, ...]]:
    with (
        documents_of(settings, sys.argv[1]) as documents,
        open_record_store(settings.records_url) as records,
        open_event_log(settings.log_url) as log,
    ):
        late: EventLog = LateLog(log)  # type: ignore[assignment]  # the rest is passed on
        yield (
            Relay(documents, late, records, SystemClock(), _LOGGER),
            Writer(documents, records, int(sys.argv[2])),
        )


if __name__ == "__main__":
    sys.exit(run_process(Settings, opened, _LOGGER))
