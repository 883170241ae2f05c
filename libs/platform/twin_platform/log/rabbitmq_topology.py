"""What the event log is on a broker: an exchange, two quorum queues per partition, and how it is found there."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from twin_contracts.queues import EXCHANGE, MOST_PARTITIONS, Lane, Queue, queues_of
from twin_platform.errors import PermanentError
from twin_platform.log.errors import LogInUse, LogUnavailable, PartitionsFixed
from twin_platform.log.rabbitmq_link import MISMATCH, REFUSED, Answer, Link, is_missing, result

MAX_LENGTH_BYTES = 2 * 1024**3
DELIVERY_LIMIT = 1_000_000
"""With none, what is given back goes behind what waits; one that is reached would drop an event."""

_Reply = Callable[[Any], None]
_Question = Callable[[Channel, _Reply], None]


class TopologyRefused(PermanentError):
    """The broker holds an exchange or a queue of our name that was declared otherwise, or may not be declared by us."""

    runbook = "A server cannot do what is needed"

    def __init__(self, name: str, told: str) -> None:
        self.name, self.told = name, told
        super().__init__(
            f"RabbitMQ would not declare {name!r}: {told}; where it was declared otherwise, stop cdc and the flows, "
            "delete it and start them again: cdc declares it anew and has everything re-emitted"
        )


class Topology:
    """Declares and looks, over a connection that never publishes: an alarm blocks the others."""

    def __init__(self, connect: Callable[[], Link], where: str, partitions: int, refill_limit_bytes: int) -> None:
        self._connect, self._where, self._partitions = connect, where, partitions
        self._marker = _marker(partitions)
        self._max_length_bytes = {Lane.LIVE: MAX_LENGTH_BYTES, Lane.REFILL: refill_limit_bytes}

    def missing(self) -> tuple[Queue, ...]:
        """Return the queues that do not exist; all of them, where the exchange does not.

        Raises:
            PartitionsFixed: it was declared with another number of partitions.
            LogUnavailable: transient.
        """
        exchange, found = self._look()
        return tuple(queue for queue, there in found.items() if there is None or exchange is None)

    def declare(self) -> None:
        """Create what does not exist.

        Raises:
            TopologyRefused: something of its name was declared otherwise.
            LogUnavailable: transient.
        """
        exchanges = {self._marker: "fanout", EXCHANGE: "direct"}
        for name, kind in exchanges.items():
            self._require(name, partial(_declare_exchange, name, kind))
        for queue in queues_of(self._partitions):
            self._require(queue.name, partial(_declare_queue, queue, self._max_length_bytes[queue.lane]))

    def waiting(self) -> int:
        """Return how many events the broker has ready, over all queues; raises as `missing`."""
        _, found = self._look()
        return sum(there.message_count for there in found.values() if there is not None)

    def undeclare(self) -> int:
        """Delete the queues, of whatever number of partitions, and what says the number; return how many events went.

        It can be repeated: where it was killed in between, neither the old number nor a new one fits what is left.

        Raises:
            LogInUse: a queue is read.
            LogUnavailable: transient.
        """
        queues = queues_of(MOST_PARTITIONS)
        found = dict(zip(queues, map(_found, self._ask(map(_queue, queues))), strict=True))
        there = {queue: looked for queue, looked in found.items() if looked is not None}
        for queue, looked in there.items():
            if looked.consumer_count:
                raise LogInUse(queue)
        for partitions in range(1, MOST_PARTITIONS + 1):
            self._require(_marker(partitions), partial(_delete_exchange, _marker(partitions)))
        for queue in sorted(there, key=lambda one: one.partition, reverse=True):
            self._require(queue.name, partial(_delete_queue, queue))
        self._require(EXCHANGE, partial(_delete_exchange, EXCHANGE))
        return sum(looked.message_count for looked in there.values())

    def _look(self) -> tuple[Any | None, dict[Queue, Any | None]]:
        """Return the exchange and every queue as the broker describes them, None where one does not exist."""
        queues = queues_of(self._partitions)
        marker, exchange, *answers = self._ask([_exchange(self._marker), _exchange(EXCHANGE), *map(_queue, queues)])
        found = dict(zip(queues, map(_found, answers), strict=True))
        if _found(marker) is None and any(there is not None for there in found.values()):
            self._check_partitions()
        return _found(exchange), found

    def _check_partitions(self) -> None:
        """Count the partitions of a log that was not declared with ours."""
        installed = 0
        while _found(self._ask([_queue(Queue(installed, Lane.LIVE))])[0]) is not None:
            installed += 1
        if installed != self._partitions:
            raise PartitionsFixed(self._where, installed, self._partitions)

    def _ask(self, questions: Iterable[_Question]) -> list[Answer]:
        link = self._connect()
        return [link.ask(question) for question in questions]

    def _require(self, name: str, question: _Question) -> None:
        try:
            result(self._connect().ask(question))
        except ChannelClosedByBroker as error:
            if error.reply_code in {MISMATCH, REFUSED}:
                raise TopologyRefused(name, error.reply_text) from error
            raise LogUnavailable(f"RabbitMQ: {error.reply_text}") from error


def _found(answer: Answer) -> Any | None:  # noqa: ANN401 - the same
    try:
        return result(answer)
    except ChannelClosedByBroker as error:
        if is_missing(error):
            return None
        raise LogUnavailable(f"RabbitMQ: {error.reply_text}") from error


def _exchange(name: str) -> _Question:
    return lambda channel, reply: channel.exchange_declare(name, passive=True, callback=reply)


def _queue(queue: Queue) -> _Question:
    return lambda channel, reply: channel.queue_declare(queue.name, passive=True, callback=reply)


def _marker(partitions: int) -> str:
    """Return the name of the exchange whose being there says the number of partitions; nothing is bound to it."""
    return f"{EXCHANGE}.partitions.{partitions}"


def _delete_exchange(name: str, channel: Channel, reply: _Reply) -> None:
    channel.exchange_delete(name, callback=reply)


def _delete_queue(queue: Queue, channel: Channel, reply: _Reply) -> None:
    channel.queue_delete(queue.name, callback=reply)


def _declare_exchange(name: str, kind: str, channel: Channel, reply: _Reply) -> None:
    channel.exchange_declare(name, exchange_type=kind, durable=True, callback=reply)


def _declare_queue(queue: Queue, max_length_bytes: int, channel: Channel, reply: _Reply) -> None:
    arguments = {
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-max-length-bytes": max_length_bytes,
        "x-overflow": "reject-publish",
    }
    channel.queue_declare(queue.name, durable=True, arguments=arguments, callback=lambda _: bind())

    def bind() -> None:
        channel.queue_bind(queue.name, EXCHANGE, queue.routing_key, callback=reply)
