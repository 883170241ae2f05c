"""What the processes of one system tell each other: how each is, and what it has applied lately.

Each puts a record of its own into the record store that all of them share, and an API that runs alone reads them. Of a
process that has died the record stays and does not change any more. No two clocks are compared.
"""

import time
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from threading import Event as Flag
from typing import Final, Protocol
from uuid import uuid4

from pydantic import NonNegativeInt

from twin_contracts.base import Contract
from twin_contracts.http import ComponentStatus
from twin_contracts.live import DocumentNews
from twin_platform.errors import TransientError
from twin_platform.features.news import ROOM, Listener
from twin_platform.records.port import Collection, RecordStore
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.health import Told, component_of

TICK_SECONDS: Final = 0.2
"""News wait at most so long before they are put."""
BEAT_SECONDS: Final = 2.0
"""Without news the record is put again after this, which is how a reader sees that the process lives."""
NEWS_SECONDS: Final = 2.0
"""News stay so long in the record: a reader looks several times meanwhile."""
DEAD_SECONDS: Final = 3600.0
"""A record that has not changed between two looks so far apart is removed."""
LAST_WORDS_SECONDS: Final = 2.0
"""What the other services of a stopping process are given to end, so that their last news are told."""
_POLL_SECONDS: Final = 0.02


class Report(Contract):
    """One process, as it tells of itself."""

    components: tuple[ComponentStatus, ...]
    seconds_to_searchable: float | None = None
    """Of a flow: commit to searchable of its last live change."""
    chunks_embedded: NonNegativeInt = 0
    """Of a flow: chunks that got a new vector since it started."""
    unacknowledged: NonNegativeInt = 0
    """Of a flow: events that it has fetched from the log and not acknowledged."""
    told: NonNegativeInt | None = None
    """Of a flow: how many news it has had since it started; None for who never has any."""
    news: tuple[DocumentNews, ...] = ()
    """The last of them, oldest first."""


REPORTS: Final = Collection("reports", Report)
"""Under a name that each process makes anew; every process removes those of the dead."""


class FlowFigures(Protocol):
    """What a flow knows of its own work."""

    seconds_to_searchable: float | None
    chunks_embedded: int

    @property
    def unacknowledged(self) -> int:
        """Return how many events it has in hand."""


class Reporter:
    """The service that tells of the others of its process; a record store that is away is waited out."""

    def __init__(
        self,
        records: RecordStore,
        clock: Clock,
        services: Mapping[str, Told],
        flow: FlowFigures | None = None,
        news: AbstractContextManager[Listener] | None = None,
    ) -> None:
        """Prepare to tell of these services, each under its component's name.

        Args:
            records: shared by all processes of the system.
            clock: measures how long ago something was put.
            services: what is told of.
            flow: its figures are told, too.
            news: what a flow applies, heard while this runs.
        """
        self._records, self._clock, self._services, self._flow, self._news = records, clock, services, flow, news
        self._key = str(uuid4())
        self._put_at: float | None = None
        self._looked_at: float | None = None
        self._seen: dict[str, int] = {}
        self._busy = False
        self._told = 0
        self._recent: deque[tuple[float, DocumentNews]] = deque(maxlen=ROOM)

    def run(self, stop: Flag) -> None:
        """Report until `stop` is set and the others have ended, or have taken too long for that."""
        with self._news or nullcontext(Listener()) as listener:
            while not stop.wait(TICK_SECONDS):
                self.tick(listener)
            end = time.monotonic() + LAST_WORDS_SECONDS
            while any(one.status.state != "stopped" for one in self._services.values()) and time.monotonic() < end:
                time.sleep(_POLL_SECONDS)
            self.tick(listener)
            self._put()

    def tick(self, listener: Listener) -> None:
        """Put the record where there are news, or where it is time to."""
        now = self._clock.monotonic()
        news = listener.take()
        if listener.lost:
            listener.lost = False
            self._told += ROOM  # more than a record holds: who reads sees that some are missing
        self._told += len(news)
        self._recent.extend((now, one) for one in news)
        while self._recent and self._recent[0][0] < now - NEWS_SECONDS:
            self._recent.popleft()
        turned = self._flow is not None and self._busy != (self._flow.unacknowledged > 0)
        if news or turned or self._put_at is None or now - self._put_at >= BEAT_SECONDS:
            self._put()
        if self._looked_at is None or now - self._looked_at >= DEAD_SECONDS:
            self._looked_at = now
            self._forget_the_dead()

    def _put(self) -> None:
        components = tuple(component_of(name, one.status) for name, one in self._services.items())
        report = Report(components=components)
        if self._flow is not None:
            report = Report(
                components=components,
                seconds_to_searchable=self._flow.seconds_to_searchable,
                chunks_embedded=self._flow.chunks_embedded,
                unacknowledged=self._flow.unacknowledged,
                told=self._told,
                news=tuple(one for _, one in self._recent),
            )
        with suppress(TransientError):  # who needs the store for its work says so
            self._records.put(REPORTS, self._key, report)
            self._put_at, self._busy = self._clock.monotonic(), report.unacknowledged > 0

    def _forget_the_dead(self) -> None:
        with suppress(TransientError):
            found = {one.key: one.revision for one in self._records.find(REPORTS)}
            for key, revision in found.items():
                if self._seen.get(key) == revision:
                    self._records.delete(REPORTS, key)
            self._seen = found
