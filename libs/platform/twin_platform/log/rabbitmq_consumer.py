"""The RabbitMQ event log's reader: one connection, a channel and a buffer per queue."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from pika import BasicProperties
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.spec import Basic

from twin_contracts.queues import Lane, Queue
from twin_platform.log.codec import headers_from_table
from twin_platform.log.errors import LogUnavailable, QueueMissing
from twin_platform.log.port import Delivery, Position
from twin_platform.log.rabbitmq_link import REPLY_SECONDS, Broker, Link, is_missing
from twin_platform.log.read_ahead import next_of

PREFETCH = {Lane.LIVE: 256, Lane.REFILL: 64}
_LEADERLESS = (
    "RabbitMQ lets nobody read {names}: no leader; it is tried again. Where that lasts, the broker was killed just "
    "after declaring the queue: delete it (rabbitmqctl delete_queue), cdc declares it anew and re-emits everything"
)


@dataclass(slots=True, eq=False)
class _Reading:
    """One queue's channel and what it has sent: one channel for all would acknowledge what other queues have sent."""

    queue: Queue
    generation: int
    channel: Channel | None = None
    ahead: deque[Delivery] = field(default_factory=deque)
    acknowledged: int = 0

    def deliver(self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        """Keep what the broker sends until it is taken."""
        position = Position(self.generation, method.delivery_tag)
        self.ahead.append(Delivery(self.queue, position, headers_from_table(properties.headers), body))

    def acknowledge(self, tag: int) -> None:
        """Release everything up to this tag; what its channel no longer holds comes again."""
        if self.channel is not None and self.channel.is_open:
            self.channel.basic_ack(tag, multiple=True)


class RabbitmqConsumer:
    """Reads ahead in its connection's thread; the port's methods are for one other thread.

    A lost connection, a deleted queue, or a channel that the broker closes, as after its consumer timeout, ends all of
    it: `peek_cost` and `take` raise, and who reads consumes anew. One queue given up alone would go to a stand-by,
    which had to think that this process is dead.

    Args:
        broker: where to.
        queues: what to read.
        generation: tells its positions from those of other consumers.

    Raises:
        QueueMissing: a queue is not declared.
        LogUnavailable: transient.
    """

    def __init__(self, broker: Broker, queues: Sequence[Queue], generation: int) -> None:
        self._readings = {queue: _Reading(queue, generation) for queue in queues}
        self._failure: LogUnavailable | QueueMissing | None = None
        self._to_start = set(queues)
        self._started: Future[None] = Future()
        self._link = Link(broker, "consumer", self._opened, self._fail)
        try:
            self._started.result(REPLY_SECONDS)
        except TimeoutError as error:
            self.close()
            names = ", ".join(queue.name for queue in self._to_start)
            raise LogUnavailable(_LEADERLESS.format(names=names)) from error
        except (LogUnavailable, QueueMissing):
            self.close()
            raise

    def peek_cost(self, queue: Queue) -> int | None:
        """Return the next event's cost, None where none is read ahead.

        Raises:
            LogUnavailable, QueueMissing: transient; consume anew.
        """
        ahead = self._ahead(queue)
        return ahead[0].cost if ahead else None

    def take(self, queue: Queue, limit: int, budget: int) -> list[Delivery]:
        """Return the next events within `limit` and `budget`, of those that are read ahead.

        Raises:
            LogUnavailable, QueueMissing: transient; consume anew.
        """
        return next_of(self._ahead(queue), limit, budget)

    def prefetched(self) -> int:
        """Return how many events are read ahead."""
        return sum(len(reading.ahead) for reading in self._readings.values())

    def acknowledge(self, queue: Queue, position: Position) -> None:
        """Release the events up to `position`; lost on the way, they come again."""
        reading = self._readings[queue]
        if position.generation == reading.generation and position.tag > reading.acknowledged:
            reading.acknowledged = position.tag
            self._link.call(partial(reading.acknowledge, position.tag))

    def close(self) -> None:
        """Close the connection, which gives back what is unacknowledged."""
        self._link.close()

    def _ahead(self, queue: Queue) -> deque[Delivery]:
        if self._failure is not None:
            raise self._failure
        return self._readings[queue].ahead

    def _opened(self, connection: SelectConnection) -> None:
        for reading in self._readings.values():
            connection.channel(on_open_callback=partial(self._consume, reading))
        self._look_whether_started()

    def _consume(self, reading: _Reading, channel: Channel) -> None:
        reading.channel = channel
        channel.add_on_close_callback(partial(self._closed, reading.queue))
        channel.add_on_cancel_callback(lambda _: self._fail(QueueMissing(reading.queue)))
        channel.basic_qos(prefetch_count=PREFETCH[reading.queue.lane])
        channel.basic_consume(reading.queue.name, reading.deliver, callback=lambda _: self._start(reading.queue))

    def _start(self, queue: Queue) -> None:
        self._to_start.discard(queue)
        self._look_whether_started()

    def _look_whether_started(self) -> None:
        if not self._to_start and not self._started.done():
            self._started.set_result(None)

    def _closed(self, queue: Queue, _: Channel, reason: Exception) -> None:
        if is_missing(reason):
            self._fail(QueueMissing(queue))
        self._link.fail(reason)

    def _fail(self, error: LogUnavailable | QueueMissing) -> None:
        self._failure = self._failure or error
        if not self._started.done():
            self._started.set_exception(self._failure)
