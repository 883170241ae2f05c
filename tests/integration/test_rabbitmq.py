"""The event log's contract on a real RabbitMQ, and what only a broker can show; `make test-rabbitmq`."""

from collections.abc import Iterator

import pytest

from benchmarks.broker import Broker
from contract.conformance.log_contract import PARTITIONS, REFILL_LIMIT_BYTES, EventLogContract
from integration.broker import broker, own_broker, vhost
from twin_platform.log.port import EventLog
from twin_platform.log.rabbitmq import RabbitmqEventLog

__all__ = ["broker", "own_broker", "vhost"]


class TestRabbitmqEventLog(EventLogContract):
    @pytest.fixture
    def log(self, broker: Broker) -> Iterator[EventLog]:
        broker.wipe(PARTITIONS)
        with RabbitmqEventLog(broker.url(), PARTITIONS, REFILL_LIMIT_BYTES) as log:
            yield log
