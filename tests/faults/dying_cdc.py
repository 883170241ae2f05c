"""`python -m faults.dying_cdc POINT COUNT`: a cdc that kills itself at the COUNTth time it comes to a point."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event as Flag
from threading import Lock
from typing import TypeVar

from twin_cdc.relay import Relay
from twin_cdc.settings import Settings
from twin_contracts.base import Contract
from twin_contracts.queues import Queue
from twin_contracts.reemission import Reemission
from twin_platform.documents.open import open_document_store
from twin_platform.log.open import open_event_log
from twin_platform.log.port import Confirmation, Event, EventLog
from twin_platform.records.open import open_record_store
from twin_platform.records.port import Collection, RecordStore
from twin_platform.records.positions import POSITIONS
from twin_platform.service import run_process
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger

BEFORE_CONFIRM = "before-confirm"
"""The log has the event, and cdc does not know it yet."""
BEFORE_POSITION = "before-position"
"""Events are confirmed, and the position that follows from it is not written."""
IN_REEMISSION = "in-reemission"
"""A step of a re-emission is confirmed, and its record says so."""

R = TypeVar("R", bound=Contract)


@dataclass
class Countdown:
    """Kills its process when one point has been come to often enough."""

    point: str
    left: int

    def __post_init__(self) -> None:
        self._lock = Lock()

    def at(self, point: str) -> None:
        if point == self.point:
            with self._lock:
                self.left -= 1
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


class DyingLog:
    def __init__(self, log: EventLog, countdown: Countdown) -> None:
        self._log, self._countdown = log, countdown

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        told: Confirmation = Future()

        def confirmed(done: Confirmation) -> None:
            self._countdown.at(BEFORE_CONFIRM)
            if error := done.exception():
                told.set_exception(error)
            else:
                told.set_result(None)

        self._log.publish(queue, event).add_done_callback(confirmed)
        return told


class DyingRecords:
    def __init__(self, records: RecordStore, countdown: Countdown) -> None:
        self._records, self._countdown = records, countdown

    def __getattr__(self, name: str) -> object:
        return getattr(self._records, name)

    def put(self, collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        if collection.name == POSITIONS.name:
            self._countdown.at(BEFORE_POSITION)
        revision = self._records.put(collection, key, record, if_revision)
        if isinstance(record, Reemission) and record.progress and record.progress.last_id:
            self._countdown.at(IN_REEMISSION)
        return revision


@contextmanager
def opened(settings: Settings, _stop: Flag) -> Iterator[tuple[Relay]]:
    countdown = Countdown(sys.argv[1], int(sys.argv[2]))
    clock = SystemClock()
    with (
        open_document_store(settings.documents_url, clock) as documents,
        open_record_store(settings.records_url) as records,
        open_event_log(settings.log_url) as log,
    ):
        dying_log, dying_records = DyingLog(log, countdown), DyingRecords(records, countdown)
        yield (Relay(documents, dying_log, dying_records, clock, JsonLogger("cdc")),)  # type: ignore[arg-type]  # the rest is passed on


if __name__ == "__main__":
    sys.exit(run_process(Settings, opened, JsonLogger("cdc")))
