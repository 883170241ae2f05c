"""How often a RabbitMQ broker took which event, and what it waits to have acknowledged: its own side tells, exactly."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from benchmarks.broker import Broker
from twin_contracts.base import DocumentId
from twin_contracts.queues import Lane

QUEUE = "tap"
_TRACES = "amq.rabbitmq.trace"
_WAITING = """
    lists:sum([begin
        {{ok, {{_, Held}}, _}} = ra:leader_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1), Held
    end || Queue <- rabbit_amqqueue:list(<<"{vhost}">>), amqqueue:get_type(Queue) =:= rabbit_quorum_queue]).
"""  # what `list_queues` says of a quorum queue is up to five seconds old


class RabbitmqTap:
    """Copies what is published in one vhost, whatever becomes of it, into a queue of its own, by the broker's tracing.

    A queue bound to the exchange itself would make every event routable, and so hide a binding that is gone.
    A broker that was restarted traces again from `resume` on.
    """

    def __init__(self, broker: Broker, vhost: str) -> None:
        self._broker, self._vhost = broker, vhost
        self._taken: Counter[tuple[str, str | None, str]] = Counter()
        """How often: routing key, document id, headers."""
        self.resume()

    def resume(self) -> None:
        """Copy from now on."""
        self._broker.control("trace_on", "-p", self._vhost)
        with self._broker.connect(self._vhost) as connection:
            channel = connection.channel()
            channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-mode": "lazy"})
            channel.queue_bind(QUEUE, _TRACES, "publish.#")

    def waiting(self) -> int:
        """Count what the queues hold, handed out or not."""
        return int(self._broker.control("eval", _WAITING.format(vhost=self._vhost)))

    def duplicates(self) -> int:
        """Return how many events were published again; see the protocol."""
        self._read()
        return sum(times - 1 for (_, document_id, _), times in self._taken.items() if document_id is not None)

    def published(self, lane: Lane) -> Counter[DocumentId]:
        """Return how often an event of each document was published; see the protocol."""
        self._read()
        counted: Counter[DocumentId] = Counter()
        for (key, document_id, _), times in self._taken.items():
            if document_id is not None and key.startswith(lane):
                counted[document_id] += times
        return counted

    def tries(self) -> int:
        """Return how often that event was published that was published most often."""
        self._read()
        return max(self._taken.values(), default=0)

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self) -> None:
        """Count what was copied by now; what no queue would take was not published."""
        with self._broker.connect(self._vhost) as connection:
            channel = connection.channel()
            copied = channel.queue_declare(QUEUE, passive=True).method.message_count
            for method, properties, _ in islice(channel.consume(QUEUE), copied):
                assert method is not None  # noqa: S101 - only so where inactivity has a limit
                assert properties is not None  # noqa: S101
                self._count(properties.headers)
                channel.basic_ack(method.delivery_tag)
            channel.cancel()

    def _count(self, traced: Mapping[str, Any]) -> None:
        if traced["routed_queues"]:
            headers = dict(traced["properties"].get("headers", {}), traceparent=None)  # each try has its own
            named = json.dumps(headers, sort_keys=True, default=repr)
            self._taken[traced["routing_keys"][0], headers.get("document_id"), named] += 1
