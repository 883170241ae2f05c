"""Event log on RabbitMQ: quorum queues that confirm what a crash of the broker would survive."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import Self

from pika.exceptions import ChannelClosedByBroker

from twin_contracts.queues import DEFAULT_PARTITIONS, Queue, queues_of
from twin_platform.log.codec import encode
from twin_platform.log.errors import LogUnavailable, QueueMissing, RightTaken
from twin_platform.log.port import Confirmation, Event
from twin_platform.log.rabbitmq_consumer import RabbitmqConsumer
from twin_platform.log.rabbitmq_link import CLOSE_SECONDS, LOCKED, Broker, Link, result
from twin_platform.log.rabbitmq_publisher import Publisher
from twin_platform.log.rabbitmq_topology import MAX_LENGTH_BYTES, Topology


class RabbitmqEventLog:
    """The event log of one process, whose threads publish and consume.

    Nothing is opened before it is needed, and nothing is opened again by itself: what fails with `LogUnavailable` is
    tried again by who called, on a new connection. Queues keep the order of the `publish` calls, but for what a
    full queue refused. Publishing, consuming and looking have a connection each: a broker in need blocks who publishes.

    Args:
        url: amqp:// or amqps://, with user, password and virtual host.
        partitions: what it was, or is now, declared with.
        refill_limit_bytes: a refill queue that holds as much confirms nothing until some of it was taken.

    Raises:
        BadBrokerUrl: the URL cannot be read.
    """

    def __init__(
        self, url: str, partitions: int = DEFAULT_PARTITIONS, refill_limit_bytes: int = MAX_LENGTH_BYTES
    ) -> None:
        self.partitions = partitions
        self._broker = Broker(url)
        self._topology = Topology(self._looking, self._broker.name, partitions, refill_limit_bytes)
        self._lock = Lock()
        self._looks: Link | None = None
        self._publisher: Publisher | None = None
        self._rights: set[str] = set()
        self._unroutable: set[Queue] = set()
        self._generations = count(1)
        self._closed = False

    def missing(self) -> tuple[Queue, ...]:
        """Return queues that do not exist, or that an event could not be routed to: their binding is lost."""
        missing = {*self._topology.missing(), *self._unroutable}
        return tuple(queue for queue in queues_of(self.partitions) if queue in missing)

    def declare(self) -> None:
        """Create and bind what is missing.

        Raises:
            TopologyRefused: something of its name was declared otherwise.
        """
        self._topology.declare()
        self._unroutable.clear()

    def undeclare(self) -> int:
        """Delete every queue, of whatever number of partitions; return how many events were in them.

        Raises:
            LogInUse: a queue is read.
        """
        return self._topology.undeclare()

    def publish(self, queue: Queue, event: Event) -> Confirmation:
        """Hand the event to the publisher's thread. It fails with `QueueMissing` where no queue takes it."""
        headers, body = encode(event)
        try:
            publisher = self._publishing()
        except LogUnavailable as error:
            failed: Confirmation = Future()
            failed.set_exception(error)
            return failed
        return publisher.publish(queue, headers.model_dump(mode="json", exclude_none=True), body)

    def consume(self, queues: Sequence[Queue]) -> RabbitmqConsumer:
        """Become the reader of `queues`, or wait behind the one that is: a broker has one reader at a time."""
        missing = [queue for queue in self._topology.missing() if queue in queues]
        if missing:
            raise QueueMissing(missing[0])
        return RabbitmqConsumer(self._broker, queues, next(self._generations))

    def waiting(self) -> int:
        """Return how many events the broker has ready; what a reader has prefetched is not among them."""
        return self._topology.waiting()

    def compact(self) -> bool:
        """Return False: a broker gives back its disk space by itself."""
        return False

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold an exclusive queue on the connection that publishes.

        Once that is lost, so is the right, and every publish fails with `LogUnavailable` until the context is left.
        """
        publisher = self._claim(name)
        try:
            _hold(publisher, name)
            try:
                yield
            finally:
                _release(publisher, name)
        finally:
            self._rights.discard(name)

    def close(self) -> None:
        """Close the connections but those of consumers; unresolved confirmations fail."""
        with self._lock:
            self._closed = True
        for connection in (self._publisher, self._looks):
            if connection is not None:
                connection.close()

    def __enter__(self) -> Self:
        """Return the log; leaving closes it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the log."""
        self.close()

    def _claim(self, name: str) -> Publisher:
        """Keep threads of this process apart, who share a connection, and the connection from being replaced."""
        publisher = self._publishing()
        with self._lock:
            if name in self._rights:
                raise RightTaken(name)
            self._rights.add(name)
        return publisher

    def _publishing(self) -> Publisher:
        with self._lock:
            self._refuse_closed()
            if self._publisher is None or (self._publisher.lost and not self._rights):
                self._publisher = Publisher(self._broker, self._unroutable.add)
            return self._publisher

    def _looking(self) -> Link:
        with self._lock:
            self._refuse_closed()
            if self._looks is None or self._looks.lost:
                self._looks = Link(self._broker, "looking")
            return self._looks

    def _refuse_closed(self) -> None:
        if self._closed:
            message = "the event log was closed"
            raise LogUnavailable(message)


def _hold(publisher: Publisher, name: str) -> None:
    try:
        result(publisher.ask(lambda channel, reply: channel.queue_declare(name, exclusive=True, callback=reply)))
    except ChannelClosedByBroker as error:
        if error.reply_code == LOCKED:
            raise RightTaken(name) from error
        raise LogUnavailable(f"RabbitMQ would not give the right {name!r}: {error.reply_text}") from error


def _release(publisher: Publisher, name: str) -> None:
    """Delete the queue, or else close the connection: a broker in need reads nothing of it."""
    if not publisher.lost:
        try:
            deleted = publisher.ask(lambda channel, reply: channel.queue_delete(name, callback=reply))
            result(deleted, CLOSE_SECONDS)
        except (ChannelClosedByBroker, LogUnavailable):
            publisher.close()
