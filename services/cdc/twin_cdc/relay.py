"""Tail the document store's changes into the partitioned log, and re-emit what is in doubt beside it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Literal

from twin_cdc.capture import messages_of
from twin_cdc.metrics import LOST, Figures
from twin_cdc.position import PositionKeeper
from twin_cdc.reemit import Reemitter
from twin_cdc.window import Window
from twin_contracts.events import Cause
from twin_contracts.queues import Lane
from twin_platform.documents.errors import PositionLost
from twin_platform.documents.port import Change, ChangeFeed, DocumentStore
from twin_platform.errors import TransientError
from twin_platform.log.errors import RightTaken
from twin_platform.log.port import EventLog
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import SOURCE
from twin_platform.records.reemissions import ask_reemission
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.logs import Logger
from twin_platform.telemetry.metrics import Metrics, NoMetrics

RIGHT = f"cdc.{SOURCE}.active"
"""Held in the log by the one that publishes and declares queues."""


@dataclass(frozen=True)
class RelayOptions:
    """How eagerly the relay works; the defaults are the design's."""

    feed_window: int = 1000
    """Live events that may be unconfirmed."""
    refill_window: int = 200
    """Re-emitted events that may be unconfirmed."""
    position_seconds: float = 1.0
    """The position is written at most this often while events flow."""
    idle_position_seconds: float = 10.0
    """The same while only the store's own time moves on: in a store that holds our records, too, writing moves it."""
    queue_check_seconds: float = 10.0
    """How often the log is asked whether a queue is missing."""
    idle_wait: float = 0.4
    """Seconds that a quiet feed is waited for; a request for re-emission is seen after at most this."""
    busy_wait: float = 0.02
    """The same while confirmations are awaited."""
    drain_seconds: float = 1.0
    """How long a stop waits for confirmations that are under way."""
    right_seconds: float = 1.0
    """How often one that waits asks for the right; a broker writes a line into its log at each refusal."""
    first_backoff: float = 0.2
    last_backoff: float = 30.0


@dataclass
class RelayStatus:
    """What the relay tells of itself; written by its thread, read by any."""

    state: Literal["starting", "active", "waiting", "degraded", "stopped"] = "starting"
    detail: str | None = None


@dataclass
class Relay:
    """The cdc service for any document store and any log. One instance is active; others wait for its right.

    Every committed change is published at least once. A crash anywhere publishes some events again, never none.
    """

    documents: DocumentStore
    log: EventLog
    records: RecordStore
    clock: Clock
    logger: Logger
    options: RelayOptions = field(default_factory=RelayOptions)
    status: RelayStatus = field(default_factory=RelayStatus)
    metrics: Metrics = field(default_factory=NoMetrics)

    def __post_init__(self) -> None:
        """Begin with nothing measured."""
        self._figures = Figures(self.metrics, self.clock)

    def run(self, stop: Flag) -> None:
        """Relay until `stop` is set; transient errors are waited out, any other ends the service.

        On a stop the window is given a second to drain and the position is written.
        """
        backoff = self.options.first_backoff
        while not stop.is_set():
            began = self.clock.monotonic()
            try:
                with self.log.exclusive(RIGHT):
                    self._relay(stop)
            except RightTaken as error:
                self._tell("waiting", str(error))
                stop.wait(self.options.right_seconds)
            except TransientError as error:
                self._tell("degraded", str(error))
                if self.clock.monotonic() - began > backoff * 4:  # it had recovered
                    backoff = self.options.first_backoff
                stop.wait(backoff)
                backoff = min(backoff * 2, self.options.last_backoff)
        self._tell("stopped", None)

    def _relay(self, stop: Flag) -> None:
        self._declare()
        keeper = PositionKeeper(self.records, self.documents, self.clock)
        while not stop.is_set():
            keeper.settle()
            try:
                with closing(self.documents.changes(keeper.token)) as feed:
                    self._tail(feed, keeper, stop)
            except PositionLost as error:
                self.logger.event("position_lost", why=error.why)
                self.metrics.count(LOST)
                keeper.lose(f"position lost: {error.why}")
                stop.wait(self.options.first_backoff)  # a store that loses every position is not asked in a circle

    def _tail(self, feed: ChangeFeed, keeper: PositionKeeper, stop: Flag) -> None:
        """Publish from one open feed until a stop or an error; either way, what was confirmed is not read again."""
        self._tell("active", None)
        window = Window(self.log, self.options.feed_window, self._figures.confirmed)
        refill = Window(self.log, self.options.refill_window, self._figures.confirmed)
        reemitter = Reemitter(self.documents, self.log, self.records, self.clock, refill)
        progress = _Progress(keeper, self.clock, self.options)
        try:
            with self._figures.active(
                lambda: {"feed": window.unconfirmed, "refill": refill.unconfirmed}, lambda: reemitter.requests
            ):
                self._publish(feed, window, reemitter, progress, stop)
            progress.reached(window.drained(self.options.drain_seconds), everything=window.empty)
        finally:
            progress.write()

    def _publish(
        self, feed: ChangeFeed, window: Window, reemitter: Reemitter, progress: "_Progress", stop: Flag
    ) -> None:
        checked = self.clock.monotonic()
        self._figures.headroom = self.documents.headroom(progress.written)
        while not stop.is_set():
            worked = reemitter.step()
            resting = window.empty and reemitter.window.empty
            wait = 0.0 if worked else self.options.idle_wait if resting else self.options.busy_wait
            if window.room:
                changes = feed.read(window.room, wait)
                progress.read(changes)
                self._figures.read(changes)
                window.publish(messages_of(changes, Cause.LIVE, Lane.LIVE, self.log.partitions), feed.position())
            else:
                stop.wait(self.options.busy_wait)
            progress.reached(window.confirmed(), everything=window.empty)
            if self.clock.monotonic() - checked >= self.options.queue_check_seconds:
                self._declare()
                self._figures.headroom = self.documents.headroom(progress.written)
                checked = self.clock.monotonic()

    def _declare(self) -> None:
        """Create missing queues; what they held is owed, so the re-emission is asked for first."""
        missing = self.log.missing()
        if missing:
            ask_reemission(self.records, self.clock, f"{len(missing)} queues had to be created")
            self.log.declare()

    def _tell(self, state: Literal["active", "waiting", "degraded", "stopped"], detail: str | None) -> None:
        if (state, detail) != (self.status.state, self.status.detail):
            self.logger.event("relay", state=state, detail=detail)
        self.status.state, self.status.detail = state, detail


class _Progress:
    """Writes the confirmed position: at once after a rest, at most so often while events flow, rarely while none do."""

    def __init__(self, keeper: PositionKeeper, clock: Clock, options: RelayOptions) -> None:
        self._keeper, self._clock, self._options = keeper, clock, options
        self._reached = keeper.token
        self._written: float | None = None
        self._flowing = False

    @property
    def written(self) -> str:
        """Return the position that a new start would begin at."""
        return self._keeper.token

    def read(self, changes: Sequence[Change]) -> None:
        """Take note of what the feed has handed out."""
        self._flowing = self._flowing or bool(changes)

    def reached(self, token: str | None, *, everything: bool) -> None:
        """Remember a confirmed token; write it when it is due. `everything`: what was read is confirmed to the last."""
        self._reached = token or self._reached
        seconds = self._options.position_seconds if self._flowing else self._options.idle_position_seconds
        if self._written is None or self._clock.monotonic() - self._written >= seconds:
            self.write()
        if everything and self._reached == self._keeper.token:
            self._flowing = False

    def write(self) -> None:
        """Write what was reached, where it moved."""
        if self._reached != self._keeper.token:
            self._keeper.advance(self._reached)
            self._written = self._clock.monotonic()
