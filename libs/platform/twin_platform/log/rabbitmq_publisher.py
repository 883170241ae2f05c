"""The RabbitMQ event log's publisher: one connection on which every event is confirmed by itself."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from threading import Lock
from typing import Any

from pika import BasicProperties
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.spec import Basic

from twin_contracts.queues import EXCHANGE, Queue
from twin_platform.log.errors import LogUnavailable, QueueMissing
from twin_platform.log.port import Confirmation
from twin_platform.log.rabbitmq_link import Answer, Broker, Link, is_missing

FIRST_BACKOFF_SECONDS = 0.2
LAST_BACKOFF_SECONDS = 30.0
_PERSISTENT = 2


@dataclass(slots=True, eq=False)
class _Message:
    queue: Queue
    headers: Mapping[str, Any]
    body: bytes
    confirmation: Confirmation
    refusals: int = 0

    @property
    def backoff(self) -> float:
        """Return how long it rests after its last refusal."""
        return min(FIRST_BACKOFF_SECONDS * 2.0 ** (self.refusals - 1), LAST_BACKOFF_SECONDS)


class Publisher:
    """Publishes on one connection until that is lost, which fails every confirmation that is still to come.

    An event that a full queue refuses is sent again, it alone. One that finds no queue fails with `QueueMissing`: only
    cdc can make the queue, and owes a re-emission then. Events of one queue keep their order but for these.
    """

    def __init__(self, broker: Broker, unroutable: Callable[[Queue], None]) -> None:
        self._unroutable = unroutable
        self._lock = Lock()
        self._handed: deque[_Message] = deque()
        self._awake = False
        self._channel: Channel | None = None
        self._tag = 0
        self._unconfirmed: dict[int, _Message] = {}
        self._resting: set[_Message] = set()
        self._error: Callable[[Queue], LogUnavailable | QueueMissing] | None = None
        self._link = Link(broker, "publisher", self._opened, self._lost)

    @property
    def lost(self) -> LogUnavailable | None:
        """Return why the connection is no more, None while there is one."""
        return self._link.lost

    def publish(self, queue: Queue, headers: Mapping[str, Any], body: bytes) -> Confirmation:
        """Hand over one event. Does not block."""
        confirmation: Confirmation = Future()
        confirmation.set_running_or_notify_cancel()  # nobody can cancel what may already be written
        with self._lock:
            error = self._error
            if error is None:
                self._handed.append(_Message(queue, headers, body, confirmation))
                asleep, self._awake = not self._awake, True
        if error is not None:
            confirmation.set_exception(error(queue))
        elif asleep:
            self._link.call(self._send)
        return confirmation

    def ask(self, question: Callable[[Channel, Callable[[Any], None]], None]) -> Answer:
        """Put a question on the very connection; see `Link.ask`."""
        return self._link.ask(question)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._link.close()

    def _opened(self, connection: SelectConnection) -> None:
        connection.channel(on_open_callback=self._ready)

    def _ready(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._closed)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered)
        self._channel = channel
        self._send()

    def _send(self) -> None:
        if self._channel is None:
            return
        with self._lock:
            handed, self._handed = self._handed, deque()
            self._awake = False
        for message in handed:
            self._send_one(message)

    def _send_one(self, message: _Message) -> None:
        self._tag += 1
        self._unconfirmed[self._tag] = message
        if self._channel is None or not self._channel.is_open:
            return  # the connection is about to be lost, which fails it
        properties = BasicProperties(  # type: ignore[no-untyped-call]  # pika's one constructor without types
            content_type="application/json",
            delivery_mode=_PERSISTENT,
            headers=dict(message.headers),
            message_id=str(self._tag),  # by which one that comes back is known
        )
        self._channel.basic_publish(EXCHANGE, message.queue.routing_key, message.body, properties, mandatory=True)

    def _answered(self, frame: Any) -> None:  # noqa: ANN401 - pika's frames have no common type
        tag, is_ack = frame.method.delivery_tag, isinstance(frame.method, Basic.Ack)
        tags = list(takewhile(lambda each: each <= tag, self._unconfirmed)) if frame.method.multiple else [tag]
        for each in tags:
            message = self._unconfirmed.pop(each, None)
            if message is None:  # it had come back
                continue
            if is_ack:
                message.confirmation.set_result(None)
            else:
                self._rest(message)

    def _rest(self, message: _Message) -> None:
        message.refusals += 1
        self._resting.add(message)
        self._link.later(message.backoff, partial(self._send_again, message))

    def _send_again(self, message: _Message) -> None:
        if message in self._resting:
            self._resting.remove(message)
            self._send_one(message)

    def _returned(self, _: Channel, __: Basic.Return, properties: BasicProperties, ___: bytes) -> None:
        """Take back what no queue took; its confirmation follows and means nothing."""
        message = self._unconfirmed.pop(int(properties.message_id or 0), None)
        if message is not None:
            self._unroutable(message.queue)
            message.confirmation.set_exception(QueueMissing(message.queue))

    def _closed(self, _: Channel, reason: Exception) -> None:
        """Give the connection up where the broker closes the channel: without an exchange, nothing has a queue."""
        if is_missing(reason):
            self._fail(QueueMissing)
        self._link.fail(reason)

    def _lost(self, error: LogUnavailable) -> None:
        self._fail(lambda _: LogUnavailable(str(error)))

    def _fail(self, error: Callable[[Queue], LogUnavailable | QueueMissing]) -> None:
        with self._lock:
            self._error = error if self._error is None else self._error
            left = [*self._unconfirmed.values(), *self._resting, *self._handed]
            self._handed.clear()
        self._unconfirmed.clear()
        self._resting.clear()
        for message in left:
            message.confirmation.set_exception(error(message.queue))
