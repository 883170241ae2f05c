"""`--follow`: the way of each document, as anybody sees it who asks: stored, captured, indexed, with times."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from itertools import islice
from typing import Final

from twin_cli.client import Client
from twin_cli.errors import Refused
from twin_cli.terminal import tell
from twin_contracts.base import DocumentId
from twin_contracts.http import DocumentState, DocumentStatus
from twin_platform.telemetry.clock import Clock, SystemClock

LOOK_SECONDS: Final = 0.05
TROUBLE_SECONDS: Final = 20.0
HEADER: Final = "stored        captured within  indexed within"
_AT_ONCE: Final = 50
"""Documents that one look asks for, the oldest ones: of thousands under way they arrive first."""
_MINUTE: Final = 60.0


@dataclass
class Way:
    """How far a document has been seen to be."""

    status: DocumentStatus | None = None
    captured: timedelta | None = None
    """From its commit until its event was seen to be in the log."""


class Follower:
    """Looks where documents are, again and again, and tells a line of each that has arrived.

    A time is what had passed since the commit when it was seen, by this machine's clock: it was not later than that.
    """

    def __init__(
        self,
        client: Client,
        tell_line: Callable[[str], None] = tell,
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._tell, self._clock, self._wait = client, tell_line, clock or SystemClock(), wait
        self._known: set[DocumentId] = set()
        self._under_way: dict[DocumentId, Way] = {}
        self._looked: float | None = None
        self._told = False
        self.indexed: list[DocumentStatus] = []
        """What is searchable, in the order in which that was seen."""

    def look(self, ids: Iterable[DocumentId] = ()) -> None:
        """Follow these, too, and look where each is that has not arrived, unless that was done just now."""
        new = [document_id for document_id in ids if document_id not in self._known]
        self._known.update(new)
        self._under_way.update((document_id, Way()) for document_id in new)
        if self._looked is None or self._clock.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()

    def until_arrived(self, trouble: Callable[[str], None]) -> None:
        """Look until each has arrived, or has a reason why not; `trouble` is told what is in the way meanwhile."""
        asked = self._clock.monotonic()
        while self._under_way:
            self._look()
            if self._clock.monotonic() - asked >= TROUBLE_SECONDS:
                asked = self._clock.monotonic()
                tell_degraded(self._client, trouble)
            if self._under_way:
                self._wait(LOOK_SECONDS)

    def _look(self) -> None:
        self._looked = self._clock.monotonic()
        for document_id, way in islice([*self._under_way.items()], _AT_ONCE):
            if self._has_arrived(document_id, way):
                del self._under_way[document_id]

    def _has_arrived(self, document_id: DocumentId, way: Way) -> bool:
        try:
            status = self._client.document(document_id)
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            if way.status is not None:
                self._tell_line(way.status, way, "deleted by somebody else meanwhile")
            return True
        way.status = status
        passed = self._clock.now() - status.committed_at if status.committed_at else timedelta()
        if status.captured and way.captured is None:
            way.captured = passed
        match status.status:
            case DocumentState.PENDING:
                return False
            case DocumentState.INDEXED:
                self._tell_line(status, way, f"{_after(passed):>14}  {_chunks(status.chunks)}")
                self.indexed.append(status)
            case _:
                stage = f" by {status.stage}" if status.stage else ""
                self._tell_line(status, way, f"{status.status}{stage}: {status.reason or 'no reason given'}")
        return True

    def _tell_line(self, status: DocumentStatus, way: Way, outcome: str) -> None:
        if not self._told:
            self._told = True
            self._tell(HEADER)
        stored = f"{status.committed_at.astimezone():%H:%M:%S.%f}"[:12] if status.committed_at else "--:--:--.---"
        captured = _after(way.captured) if way.captured is not None else ""
        self._tell(f"{stored}  {captured:>15}  {outcome}  {name_of(status)}")


def name_of(status: DocumentStatus) -> str:
    """Return what a person knows a document by."""
    return status.title or status.url or status.document_id


def tell_degraded(client: Client, trouble: Callable[[str], None]) -> None:
    """Tell what keeps the system from working."""
    for component in client.status().components:
        if component.state == "degraded":
            trouble(f"waiting for {component.name}, which is degraded: {component.detail or 'no reason given'}")


def _chunks(count: int) -> str:
    return f"{count:>3} {'chunk ' if count == 1 else 'chunks'}"


def _after(passed: timedelta) -> str:
    seconds = max(0.0, passed.total_seconds())
    if seconds < 1:
        return f"+{seconds * 1000:.0f} ms"
    return f"+{seconds:.1f} s" if seconds < _MINUTE else f"+{seconds / _MINUTE:.0f} min"
