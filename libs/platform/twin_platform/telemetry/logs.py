"""Structured logs: one line of JSON per fact, ids as fields, never a secret, never a document's text."""

import contextlib
import json
import sys
from datetime import UTC, datetime
from typing import Protocol, TextIO


class Logger(Protocol):
    """Takes facts."""

    def event(self, name: str, **fields: str | float | None) -> None:
        """Record one fact with its ids and figures."""


class JsonLogger:
    """Writes one JSON object per line; `service` names who speaks."""

    def __init__(self, service: str, stream: TextIO | None = None) -> None:
        self._service, self._stream = service, stream or sys.stderr

    def event(self, name: str, **fields: str | float | None) -> None:
        """Write the line at once. One that cannot be written, on a full disk, is lost: no service ends for its log."""
        line = {"at": datetime.now(UTC).isoformat(), "service": self._service, "event": name, **fields}
        with contextlib.suppress(OSError):
            self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._stream.flush()
