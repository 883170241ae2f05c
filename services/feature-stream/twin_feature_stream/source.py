"""Bytewax source over the event log: one batch an epoch, live before refill, acknowledged after the commit."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from twin_contracts.queues import Lane, Queue
from twin_feature_stream.ahead import Ahead, Epoch
from twin_feature_stream.budget import Budgets, ByteBudget
from twin_feature_stream.errors import Failure
from twin_feature_stream.process import Process, Work
from twin_platform.errors import PlatformError
from twin_platform.features.port import FeatureStore
from twin_platform.log.port import Consumer, Delivery, EventLog, Position
from twin_platform.telemetry.clock import Clock

MAX_MESSAGES = 256
REFILL_TURN = 10
"""One epoch in so many belongs to refill even while live events wait, or a re-emission would never end."""
BUSY_FLUSH_SHARE = 0.01
"""Most of the flow's time that flushing may take; the engine syncs files, and a slow disk takes 0.1 s for that."""
IDLE_FLUSH_SHARE = 0.1
"""The same while nothing waits, when the only cost is to what arrives meanwhile."""
LONGEST_UNFLUSHED_SECONDS = 10.0
"""However slow the disk: what is not acknowledged is done again after a crash."""
EPOCHS_AHEAD = 2
"""Epochs that are computed and not committed; a live event waits for no more than these."""
POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.02
POLL_SHARE = 0.02
"""Of the time since the last work: a flow that has been idle for a second looks every 20 ms, and takes a quarter of the
processor time that looking every 5 ms takes (12 % of a core, measured)."""


@dataclass
class Handout:
    """Chooses what an epoch works on: whole documents within the byte budget, or one slice of a bigger one.

    A document above the budget goes alone and in slices; only its own queue waits meanwhile, since slices and whole
    documents take turns.
    """

    consumer: Consumer
    queues: Sequence[Queue]
    budgets: Budgets
    process: Process
    _turn: int = 0
    _lane_turns: Counter[Lane] = field(default_factory=Counter)
    _sliced: dict[Queue, Delivery] = field(default_factory=dict)

    def next(self) -> list[Work]:
        """Return the next epoch's work; empty where none waits. The epoch before it must be prepared."""
        self._sliced = {
            queue: delivery for queue, delivery in self._sliced.items() if self.process.unfinished(delivery)
        }
        self._turn += 1
        lanes = (Lane.REFILL, Lane.LIVE) if self._turn % REFILL_TURN == 0 else (Lane.LIVE, Lane.REFILL)
        for lane in lanes:
            works = self._of_lane(lane, [queue for queue in self.queues if queue.lane is lane])
            if works:
                return works
        return []

    def spent(self, works: Sequence[Work], seconds: float) -> None:
        """Learn how long an epoch took."""
        size = sum(min(work.delivery.cost, work.slice_bytes or work.delivery.cost) for work in works)
        sliced = works[0].slice_bytes is not None
        budget = self.budgets.background if sliced else self._budget(works[0].delivery.queue.lane)
        budget.spent(size, seconds)

    def _of_lane(self, lane: Lane, queues: list[Queue]) -> list[Work]:
        """Return the lane's next work; one of its documents at a time is in slices, which take every other turn."""
        self._lane_turns[lane] += 1
        turn = self._lane_turns[lane]
        sliced = next((self._sliced[queue] for queue in queues if queue in self._sliced), None)
        start = turn // 2 % len(queues) if queues else 0
        free = [queue for queue in queues[start:] + queues[:start] if queue not in self._sliced]
        if sliced is None:
            return self._begin(lane, free[:1]) or self._whole(lane, free) or self._begin(lane, free)
        return self._slice(sliced) if turn % 2 else self._whole(lane, free) or self._slice(sliced)

    def _whole(self, lane: Lane, queues: list[Queue]) -> list[Work]:
        works: list[Work] = []
        budget = self._budget(lane).bytes
        for queue in queues:
            taken = self.consumer.take(queue, MAX_MESSAGES - len(works), budget)
            budget -= sum(delivery.cost for delivery in taken)
            works += [Work(delivery) for delivery in taken]
            if budget <= 0 or len(works) >= MAX_MESSAGES:
                break
        return works

    def _begin(self, lane: Lane, queues: list[Queue]) -> list[Work]:
        for queue in queues:
            cost = self.consumer.peek_cost(queue)
            if cost is not None and cost > self._budget(lane).bytes:
                for delivery in self.consumer.take(queue, 1, cost):
                    self._sliced[queue] = delivery
                    return self._slice(delivery)
        return []

    def _slice(self, delivery: Delivery) -> list[Work]:
        return [Work(delivery, self.budgets.background.bytes)]

    def _budget(self, lane: Lane) -> ByteBudget:
        return self.budgets.live if lane is Lane.LIVE else self.budgets.background


@dataclass
class LogPartition(StatefulSourcePartition[Epoch, None]):
    """The flow's one source partition: every queue of this process.

    Bytewax polls a partition in epoch E+1 only after the sink has finished E, and calls `snapshot` at each epoch's
    end. So what one poll handed out is committed at the next, and is acknowledged once it is flushed. Each poll also
    submits the epoch after the one that it hands out, so that computing never waits for a commit.
    """

    handout: Handout
    ahead: Ahead
    failure: Failure
    features: FeatureStore
    clock: Clock
    stop: Flag
    flush_seconds: float

    def __post_init__(self) -> None:
        """Begin with nothing handed out."""
        self._submitted: deque[Epoch] = deque()
        self._emitted: Epoch | None = None
        self._committed: dict[Queue, Position] = {}
        self._began = self.clock.monotonic()
        self._flushed = self._worked = self._began
        self._flush_took = 0.0

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
        share = BUSY_FLUSH_SHARE if self._emitted else IDLE_FLUSH_SHARE
        self._commit(now)
        stopping = self.stop.is_set()
        pause = min(LONGEST_UNFLUSHED_SECONDS, self._flush_took / share)
        due = self._flushed + max(self.flush_seconds, pause)
        if self._committed and (stopping or now >= due):
            self._flush()
        if stopping:
            raise StopIteration
        self._began = self.clock.monotonic()
        self._submit()
        self._emitted = self._submitted.popleft() if self._submitted else None
        if self._emitted is None:
            return []
        self._worked = self._began
        return [self._emitted]

    def _submit(self) -> None:
        """Have two epochs on their way: the one to be handed out now, and one behind it."""
        while len(self._submitted) < EPOCHS_AHEAD:
            if self._submitted:
                self._submitted[-1].prepared.result()  # whether it leaves something of a sliced document
            works = self.handout.next()
            if not works:
                return
            self._submitted.append(self.ahead.submit(works))

    def next_awake(self) -> datetime | None:
        """Return at once while there is work, every few milliseconds while there is none."""
        if self._emitted:
            return None
        idle = self.clock.monotonic() - self._worked
        return datetime.now(UTC) + timedelta(seconds=min(LONGEST_POLL_SECONDS, max(POLL_SECONDS, idle * POLL_SHARE)))

    def snapshot(self) -> None:
        """Mark the epoch's end; there is no state to keep, the log keeps what was not acknowledged."""

    def close(self) -> None:
        """Give back what was not acknowledged. Never acknowledges: this also runs while unwinding from an error."""
        self.handout.consumer.close()

    def _flush(self) -> None:
        """Make what is committed durable and acknowledge it."""
        began = self.clock.monotonic()
        self.features.flush()
        for queue, position in self._committed.items():
            self.handout.consumer.acknowledge(queue, position)
        self._committed.clear()
        self._flushed = self.clock.monotonic()
        self._flush_took = self._flushed - began

    def _commit(self, now: float) -> None:
        """Count the previous epoch's work as committed: this is its first poll after the sink finished it."""
        if self._emitted is None:
            return
        self.handout.spent(self._emitted.works, now - self._began)
        for delivery in self._emitted.prepared.result().finished:
            self._committed[delivery.queue] = delivery.position
        self._emitted = None


@dataclass
class LogSource(FixedPartitionedSource[Epoch, None]):
    """The log's queues of this flow as one Bytewax partition; why one: docs/decisions/0003-one-source-partition.md."""

    log: EventLog
    queues: Sequence[Queue]
    process: Process
    ahead: Ahead
    failure: Failure
    features: FeatureStore
    clock: Clock
    stop: Flag
    flush_seconds: float
    """The features are flushed, and what they hold acknowledged, at most this often."""

    def list_parts(self) -> list[str]:
        """Return the one partition's name."""
        return ["log"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> LogPartition:  # noqa: ARG002 - Bytewax's signature
        """Become the reader of the queues.

        Raises:
            QueueMissing: cdc has not declared them yet.
        """
        handout = Handout(self.log.consume(self.queues), self.queues, self.process.budgets, self.process)
        return LogPartition(handout, self.ahead, self.failure, self.features, self.clock, self.stop, self.flush_seconds)
