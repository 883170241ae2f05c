"""What the RabbitMQ event log does without a broker."""

import socket
from collections.abc import Iterator

import pytest
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorTransportSetupError
from pika.exceptions import (
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    StreamLostError,
)

from contract.conformance.log_contract import DEADLINE_SECONDS, LIVE_0, deletion
from twin_contracts.events import EventHeaders
from twin_platform.errors import UnknownScheme
from twin_platform.log.codec import headers_from_table, headers_of
from twin_platform.log.errors import LogUnavailable
from twin_platform.log.open import open_event_log
from twin_platform.log.rabbitmq import RabbitmqEventLog
from twin_platform.log.rabbitmq_link import BadBrokerUrl, Broker

SECRET = "hunter2"  # noqa: S105 - it is looked for where it must not be
URL = f"amqp://ada:{SECRET}@broker.example:5672/twin"


@pytest.fixture
def nowhere() -> Iterator[RabbitmqEventLog]:
    """A log whose port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with RabbitmqEventLog(f"amqp://ada:{SECRET}@127.0.0.1:{port}/") as log:
        yield log


def test_a_broker_that_is_away_is_told_with_the_reason(nowhere: RabbitmqEventLog) -> None:
    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:\d+.*Connection refused"):
        nowhere.missing()


def test_publishing_fails_while_the_broker_is_away(nowhere: RabbitmqEventLog) -> None:
    confirmation = nowhere.publish(LIVE_0, deletion(1))

    assert isinstance(confirmation.exception(DEADLINE_SECONDS), LogUnavailable)


def test_no_right_is_given_while_the_broker_is_away(nowhere: RabbitmqEventLog) -> None:
    with pytest.raises(LogUnavailable), nowhere.exclusive("cdc.active"):
        pass


def test_a_closed_log_looks_no_more(nowhere: RabbitmqEventLog) -> None:
    nowhere.close()

    with pytest.raises(LogUnavailable, match="closed"):
        nowhere.waiting()


@pytest.mark.parametrize("url", [f"amqp://ada:{SECRET}/x@broker/twin", f"amqp://ada:{SECRET}@broker:99999/twin"])
def test_a_url_that_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(BadBrokerUrl, match="%2F") as told:
        RabbitmqEventLog(url)

    assert SECRET not in str(told.value)


def test_a_mistyped_scheme_is_told_without_the_password() -> None:
    with pytest.raises(UnknownScheme, match=r"'ampq'.*amqps://") as told:
        open_event_log(URL.replace("amqp", "ampq"))

    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ProbableAuthenticationError("ConnectionClosedByBroker: (403) 'ACCESS_REFUSED'"), "refuses the user 'ada'"),
        (ProbableAuthenticationError("StreamLostError: it was killed"), "it was killed"),
        (ProbableAccessDeniedError("ConnectionClosedByBroker: (541) 'vhost is down'"), "vhost is down"),
        (ConnectionClosedByBroker(403, "ACCESS_REFUSED - user 'ada'"), "refuses the user 'ada'"),
        (ConnectionClosedByBroker(530, "NOT_ALLOWED - vhost twin not found"), "no virtual host 'twin'"),
        (ConnectionClosedByBroker(320, "CONNECTION_FORCED - broker forced closure"), "broker forced closure"),
        (AMQPConnectionWorkflowFailed([AMQPConnectorTransportSetupError(OSError("no route"))]), "no route"),
        (StreamLostError(), "StreamLostError"),
    ],
)
def test_a_lost_connection_is_told_with_its_reason_and_without_the_password(error: Exception, told: str) -> None:
    unavailable = str(Broker(URL).unavailable(error))

    assert told in unavailable
    assert SECRET not in unavailable


@pytest.mark.parametrize(("query", "heartbeat"), [("", 15), ("?heartbeat=2", 2)])
def test_the_urls_heartbeat_goes_before_ours(query: str, heartbeat: int) -> None:
    assert Broker(URL + query).parameters.heartbeat == heartbeat


@pytest.mark.parametrize("table", [None, {}, {"x-delivery-count": 3}, {"version": "newest"}, {"document_id": b"\xff"}])
def test_headers_that_are_not_ours_are_empty(table: dict[str, object] | None) -> None:
    assert headers_from_table(table) == EventHeaders()


def test_headers_come_back_from_a_brokers_table() -> None:
    headers = headers_of(deletion(7))

    assert headers_from_table(headers.model_dump(mode="json", exclude_none=True) | {"x-delivery-count": 1}) == headers
