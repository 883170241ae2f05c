"""The RabbitMQ event log's reader: one connection, a channel and a buffer per queue."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from pika import BasicProperties
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic

from twin_contracts.queues import Lane, Queue
from twin_platform.log.codec import headers_from_table
from twin_platform.log.errors import LogUnavailable, QueueMissing
from twin_platform.log.port import Delivery, Position
from twin_platform.log.rabbitmq_link import MISSING, Broker, Link
from twin_platform.log.rabbitmq_topology import result

PREFETCH = {Lane.LIVE: 256, Lane.REFILL: 64}
LONGEST_HELD_SECONDS = 600.0
"""A refill event that nobody takes for so long is given back, well before the broker asks for it."""
LOOK_SECONDS = 30.0


@dataclass(slots=True, eq=False)
class _Reading:
    """One channel's life; the next one of its queue begins with an empty buffer and another generation."""

    queue: Queue
    generation: int
    channel: Channel | None = None
    buffer: deque[Delivery] = field(default_factory=deque)
    taken: int = 0
    acknowledged: int = 0
    moved: float = field(default_factory=monotonic)
    """When it last handed something out, or had nothing to hand out."""

    def deliver(self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        """Keep what the broker sends until it is taken."""
        if not self.buffer:
            self.moved = monotonic()
        position = Position(self.generation, method.delivery_tag)
        self.buffer.append(Delivery(self.queue, position, headers_from_table(properties.headers), body))

    def is_stuck(self, now: float) -> bool:
        """Return whether it holds what somebody else could have, and works on nothing."""
        waits = self.queue.lane is Lane.REFILL and self.buffer and self.taken <= self.acknowledged
        return bool(waits) and now - self.moved > LONGEST_HELD_SECONDS


class RabbitmqConsumer:
    """Reads ahead in its connection's thread; `peek_cost`, `take` and `acknowledge` are for one other thread.

    A lost connection or a deleted queue ends it: `take` and `peek_cost` raise, and who reads consumes anew. A channel
    that the broker closes for another reason, as after its consumer timeout, is opened again.

    Raises:
        QueueMissing: a queue is not declared.
        LogUnavailable: transient.
    """

    def __init__(self, broker: Broker, queues: Sequence[Queue], generations: Iterator[int]) -> None:
        self._generations = generations
        self._queues = queues
        self._readings: dict[Queue, _Reading] = {}
        self._failure: LogUnavailable | QueueMissing | None = None
        self._to_start = set(queues)
        self._started: Future[None] = Future()
        self._link = Link(broker, "consumer", self._opened, self._fail)
        try:
            result(self._started)
        except (LogUnavailable, QueueMissing):
            self.close()
            raise

    def peek_cost(self, queue: Queue) -> int | None:
        """Return the next event's cost, None where none is read ahead.

        Raises:
            LogUnavailable, QueueMissing: transient; consume anew.
        """
        buffer = self._reading(queue).buffer
        return buffer[0].cost if buffer else None

    def take(self, queue: Queue, limit: int, budget: int) -> list[Delivery]:
        """Return the next events within `limit` and `budget`, of those that are read ahead.

        Raises:
            LogUnavailable, QueueMissing: transient; consume anew.
        """
        reading = self._reading(queue)
        taken = list[Delivery]()
        while reading.buffer and len(taken) < limit and reading.buffer[0].cost <= budget:
            delivery = reading.buffer.popleft()
            budget -= delivery.cost
            taken.append(delivery)
        if taken:
            reading.taken, reading.moved = taken[-1].position.tag, monotonic()
        return taken

    def prefetched(self) -> int:
        """Return how many events are read ahead."""
        return sum(len(reading.buffer) for reading in list(self._readings.values()))

    def acknowledge(self, queue: Queue, position: Position) -> None:
        """Release the events up to `position` where their channel is still open."""
        reading = self._readings[queue]
        if position.generation == reading.generation and position.tag > reading.acknowledged:
            reading.acknowledged = position.tag
            self._link.call(partial(_acknowledge, reading, position.tag))

    def close(self) -> None:
        """Close the connection, which gives back what is unacknowledged."""
        self._link.close()

    def _reading(self, queue: Queue) -> _Reading:
        if self._failure is not None:
            raise self._failure
        reading = self._readings[queue]
        if reading.channel is not None and reading.channel.is_closed:
            self._link.call(partial(self._open_again, reading))
        return reading

    def _opened(self, connection: SelectConnection) -> None:
        self._connection = connection
        for queue in self._queues:
            self._open(queue)
        if not self._queues:
            self._started.set_result(None)
        self._link.later(LOOK_SECONDS, self._look)

    def _open(self, queue: Queue) -> None:
        reading = self._readings[queue] = _Reading(queue, next(self._generations))
        self._connection.channel(on_open_callback=partial(self._consume, reading))

    def _open_again(self, reading: _Reading) -> None:
        if self._readings[reading.queue] is reading:
            self._open(reading.queue)

    def _consume(self, reading: _Reading, channel: Channel) -> None:
        reading.channel = channel
        channel.add_on_close_callback(partial(self._closed, reading))
        channel.add_on_cancel_callback(lambda _: channel.close())  # the queue was deleted, or its leader is gone
        channel.basic_qos(prefetch_count=PREFETCH[reading.queue.lane])
        channel.basic_consume(reading.queue.name, reading.deliver, callback=lambda _: self._start(reading.queue))

    def _start(self, queue: Queue) -> None:
        self._to_start.discard(queue)
        if not self._to_start and not self._started.done():
            self._started.set_result(None)

    def _closed(self, reading: _Reading, _: Channel, reason: Exception) -> None:
        """Let go of what is read ahead, which the broker has again."""
        reading.buffer.clear()
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == MISSING:
            self._fail(QueueMissing(reading.queue))

    def _look(self) -> None:
        now = monotonic()
        for reading in self._readings.values():
            if reading.is_stuck(now) and reading.channel is not None and reading.channel.is_open:
                reading.channel.close()
        self._link.later(LOOK_SECONDS, self._look)

    def _fail(self, error: LogUnavailable | QueueMissing) -> None:
        self._failure = self._failure or error
        if not self._started.done():
            self._started.set_exception(error)


def _acknowledge(reading: _Reading, tag: int) -> None:
    if reading.channel is not None and reading.channel.is_open:
        reading.channel.basic_ack(tag, multiple=True)
