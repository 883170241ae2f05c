"""Structured logs: a line that nobody can take stops nobody."""

import errno
from io import StringIO

from twin_platform.telemetry.logs import JsonLogger


class FullDisk(StringIO):
    """A log file on a disk that is full until somebody makes room."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_log_on_a_full_disk_does_not_stop_who_writes_it() -> None:
    disk = FullDisk()
    logger = JsonLogger("cdc", disk)

    logger.event("relay", state="degraded")
    disk.full = False
    logger.event("relay", state="active")

    assert '"state": "active"' in disk.getvalue()
