"""A relay over the SQLite files of one folder: as a program, `python -m fakes.relay_process`, one that tests kill."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from threading import Event as Flag

from twin_cdc.relay import Relay
from twin_platform.documents.sqlite import SqliteDocumentStore
from twin_platform.log.sqlite import SqliteEventLog
from twin_platform.records.sqlite import SqliteRecordStore
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger


@dataclass
class Files:
    """The opened stores of one folder."""

    documents: SqliteDocumentStore
    records: SqliteRecordStore
    log: SqliteEventLog

    def relay(self) -> Relay:
        return Relay(self.documents, self.log, self.records, SystemClock(), JsonLogger("cdc", StringIO()))


@contextmanager
def files_of(folder: Path) -> Iterator[Files]:
    with (
        SqliteDocumentStore(folder / "documents.db", SystemClock()) as documents,
        SqliteRecordStore(folder / "records.db") as records,
        SqliteEventLog(folder / "log.db") as log,
    ):
        yield Files(documents, records, log)


if __name__ == "__main__":
    with files_of(Path(sys.argv[1])) as files:
        files.relay().run(Flag())
