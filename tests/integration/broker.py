"""RabbitMQ brokers of our own for tests; the process itself is benchmarks/broker.py."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from benchmarks.broker import NONE, Broker, program
from benchmarks.broker import broker as started


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A broker that every test shares, and leaves running; started once."""
    if program() is None:
        pytest.skip(NONE)
    with started() as shared:
        yield shared


@pytest.fixture
def vhost(broker: Broker) -> str:
    """The URL of a virtual host of the test's own on the shared broker: nothing is declared there."""
    return broker.add_vhost(f"test-{uuid4().hex[:12]}")
