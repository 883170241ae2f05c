"""Bytewax source over the event log: one batch an epoch, live before refill, acknowledged after the commit."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event as Flag

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from twin_contracts.queues import Queue
from twin_feature_stream.ahead import Ahead, Epoch
from twin_feature_stream.budget import Budgets
from twin_feature_stream.errors import Failure
from twin_feature_stream.handout import Handout
from twin_feature_stream.in_hand import HandKeeper
from twin_feature_stream.process import Process
from twin_feature_stream.status import FlowStatus
from twin_platform.errors import PlatformError
from twin_platform.features.port import FeatureStore
from twin_platform.log.port import Delivery, EventLog, Position
from twin_platform.telemetry.clock import Clock

BUSY_FLUSH_SHARE = 0.01
"""Most of the flow's time that flushing may take; the engine syncs files, and a slow disk takes 0.1 s for that."""
IDLE_FLUSH_SHARE = 0.1
"""The same while nothing waits, when the only cost is to what arrives meanwhile; or where a broker sends nothing more
before something is acknowledged: measured, a fast flow stood still for 0.6 to 1.2 s of eight, and does for 0.1 s."""
LONGEST_UNFLUSHED_SECONDS = 5.0
"""However slow the disk: what is not acknowledged is done again after a crash."""
EPOCHS_AHEAD = 2
"""Epochs that are computed and not committed; a live event waits for no more than these."""
POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.02
POLL_SHARE = 0.02
"""Of the time since the last work: a flow that has been idle for a second looks every 20 ms."""
REST_SECONDS = 0.5
"""How long the source looks for work before it lets Bytewax have a round."""


@dataclass
class LogPartition(StatefulSourcePartition[Epoch, None]):
    """The flow's one source partition: every queue of this process.

    Bytewax polls a partition in epoch E+1 only after the sink has finished E, and calls `snapshot` at each epoch's
    end. So what one poll handed out is committed at the next, and is acknowledged once it is flushed. Each poll also
    submits the epoch after the one that it hands out, so that computing never waits for a commit. What is submitted
    and not committed is in hand, and is told before it is handled.
    """

    handout: Handout
    in_hand: HandKeeper
    process: Process
    ahead: Ahead
    failure: Failure
    features: FeatureStore
    clock: Clock
    stop: Flag
    flush_seconds: float
    status: FlowStatus

    def __post_init__(self) -> None:
        """Begin with nothing handed out."""
        self._submitted: deque[Epoch] = deque()
        self._emitted: Epoch | None = None
        self._waits = False
        self._committed: dict[Queue, Position] = {}
        self._began = self.clock.monotonic()
        self._flushed = self._worked = self._began
        self._flush_took = 0.0
        self._finished = self._acknowledged = 0
        self.status.holding(self._holding)

    def next_batch(self) -> list[Epoch]:
        """Acknowledge what is committed and flushed, then hand out one epoch's work; end after a stop or an error."""
        try:
            return self._next_batch()
        except PlatformError as error:
            self.failure.hand_over(error)
            raise StopIteration from error

    def _next_batch(self) -> list[Epoch]:
        if self.failure.error:
            raise StopIteration
        now = self.clock.monotonic()
        share = BUSY_FLUSH_SHARE if self._waits else IDLE_FLUSH_SHARE
        self._commit(now)
        stopping = self.stop.is_set()
        pause = min(LONGEST_UNFLUSHED_SECONDS, self._flush_took / share)
        due = self._flushed + max(self.flush_seconds, pause)
        if self._committed and (stopping or now >= due):
            self._flush()
        if stopping:
            raise StopIteration
        self._look_for_work(until=min(now + REST_SECONDS, due) if self._committed else now + REST_SECONDS)
        if not self._submitted:
            return []
        self._worked = self._began
        self._emitted = self._submitted.popleft()
        return [self._emitted]

    def _look_for_work(self, until: float) -> None:
        """Submit what there is; where there is nothing, look again every few milliseconds.

        These rests are not left to Bytewax: it would wake up every millisecond, and one of its rounds costs more than a
        look. Measured, that took 4 % of a core.
        """
        self._began = self.clock.monotonic()
        self._submit()
        while not self._submitted and self._began < until and not self.stop.wait(self._pause()):
            self._began = self.clock.monotonic()
            self._submit()

    def _submit(self) -> None:
        """Have two epochs on their way: the one to be handed out now, and one behind it; a suspect has none beside."""
        while len(self._submitted) < EPOCHS_AHEAD:
            if self._submitted:
                last = self._submitted[-1]
                if self.handout.is_alone(last.works):
                    break
                last.prepared.result()  # whether it leaves something of a sliced document
            works = self.handout.next(nothing_in_hand=not self._submitted)
            self._waits = bool(works)
            if not works:
                break
            self.in_hand.handle([*self._uncommitted(), *(work.delivery for work in works)])
            self._submitted.append(self.ahead.submit(works))
        self.in_hand.handle(self._uncommitted())

    def _uncommitted(self) -> list[Delivery]:
        return [work.delivery for epoch in self._submitted for work in epoch.works]

    def _pause(self) -> float:
        idle = self._began - self._worked
        return min(LONGEST_POLL_SECONDS, max(POLL_SECONDS, idle * POLL_SHARE))

    def snapshot(self) -> None:
        """Mark the epoch's end; there is no state to keep, the log keeps what was not acknowledged."""

    def close(self) -> None:
        """Give back what was not acknowledged. Never acknowledges: this also runs while unwinding from an error."""
        self.status.holding(lambda: None)
        self.handout.consumer.close()

    def _flush(self) -> None:
        """Make what is committed durable and acknowledge it; nobody has in hand what is not in the log any more."""
        began = self.clock.monotonic()
        with self.status.stage("flush"):
            self.features.flush()
        self.in_hand.handle(self._uncommitted())
        for queue, position in self._committed.items():
            self.handout.consumer.acknowledge(queue, position)
        self._committed.clear()
        self._acknowledged = self._finished
        self._flushed = self.clock.monotonic()
        self._flush_took = self._flushed - began

    def _commit(self, now: float) -> None:
        """Count the previous epoch's work as committed: this is its first poll after the sink finished it."""
        epoch, self._emitted = self._emitted, None
        if epoch is None:
            return
        self.handout.spent(epoch.works, now - self._began)
        finished = epoch.prepared.result().finished
        for delivery in finished:
            self._committed[delivery.queue] = delivery.position
        self._finished += len(finished)
        self.process.committed(finished)
        has_progress = epoch.computed.result().embedded > 0  # of a slice: the next process finds it done
        for delivery in [work.delivery for work in epoch.works] if has_progress else finished:
            self.in_hand.committed(delivery)

    def _holding(self) -> dict[str, float]:
        """Return what is unacknowledged; any thread may ask."""
        handed_out = self.handout.taken - self._acknowledged
        return {"prefetched": self.handout.consumer.prefetched(), "handed_out": handed_out}


@dataclass
class LogSource(FixedPartitionedSource[Epoch, None]):
    """The log's queues of this flow as one Bytewax partition; why one: docs/decisions/0003-one-source-partition.md."""

    log: EventLog
    queues: Sequence[Queue]
    in_hand: HandKeeper
    process: Process
    budgets: Budgets
    ahead: Ahead
    failure: Failure
    features: FeatureStore
    clock: Clock
    stop: Flag
    flush_seconds: float
    """The features are flushed, and what they hold acknowledged, at most this often."""
    suspects_wait_seconds: float
    status: FlowStatus

    def list_parts(self) -> list[str]:
        """Return the one partition's name."""
        return ["log"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> LogPartition:  # noqa: ARG002 - Bytewax's signature
        """Become the reader of the queues.

        Raises:
            QueueMissing: cdc has not declared them yet.
        """
        consumer = self.log.consume(self.queues)
        handout = Handout(
            consumer,
            self.queues,
            self.budgets,
            self.in_hand,
            self.process.unfinished,
            self.clock,
            self.suspects_wait_seconds,
        )
        return LogPartition(
            handout,
            self.in_hand,
            self.process,
            self.ahead,
            self.failure,
            self.features,
            self.clock,
            self.stop,
            self.flush_seconds,
            self.status,
        )
