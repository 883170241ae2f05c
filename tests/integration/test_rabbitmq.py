"""The event log's contract on a real RabbitMQ, and what only a broker can show; `make test-rabbitmq`."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.broker import PASSWORD, USER, Broker
from benchmarks.broker import broker as started_broker
from benchmarks.spawn import wait_until
from contract.conformance.log_contract import (
    DEADLINE_SECONDS,
    LIVE_0,
    LIVE_1,
    PARTITIONS,
    PLENTY,
    REFILL_0,
    REFILL_LIMIT_BYTES,
    EventLogContract,
    consuming,
    deletion,
    eventually,
    numbers,
    post,
    publish_all,
    take,
)
from integration.broker import broker, vhost
from twin_contracts.events import EventHeaders
from twin_contracts.queues import EXCHANGE, Lane, queues_of
from twin_platform.log.errors import LogInUse, LogUnavailable, PartitionsFixed, QueueMissing, RightTaken
from twin_platform.log.port import Consumer, EventLog
from twin_platform.log.rabbitmq import RabbitmqEventLog
from twin_platform.log.rabbitmq_consumer import PREFETCH
from twin_platform.log.rabbitmq_link import Broker as RabbitmqAt
from twin_platform.log.rabbitmq_link import Link
from twin_platform.log.rabbitmq_topology import TopologyRefused

__all__ = ["broker", "vhost"]

RECOVERY_SECONDS = 40.0
"""A queue's channel asks again for its leader only every ten seconds."""

HOLD_FOR_EVER = """
import sys
from twin_platform.log.rabbitmq import RabbitmqEventLog

with RabbitmqEventLog(sys.argv[1], partitions=2).exclusive("cdc.active"):
    print("held", flush=True)
    sys.stdin.read()
"""


class TestRabbitmqEventLog(EventLogContract):
    @pytest.fixture
    def log(self, broker: Broker) -> Iterator[EventLog]:
        broker.wipe(PARTITIONS)
        with RabbitmqEventLog(broker.url(), PARTITIONS, REFILL_LIMIT_BYTES) as log:
            yield log


@pytest.fixture
def log(broker: Broker) -> Iterator[RabbitmqEventLog]:
    broker.wipe()
    with RabbitmqEventLog(broker.url(), PARTITIONS) as log:
        log.declare()
        yield log


@pytest.fixture
def mortal(broker: Broker) -> Iterator[Broker]:
    """The shared broker, for a test that may leave it dead or in need."""
    yield broker
    if not broker.alive:
        broker.start()
    broker.clear_alarm()


@contextmanager
def consuming_again(log: EventLog) -> Iterator[Consumer]:
    """Consume once the queues have their leaders again, which takes a broker seconds after it lets anybody in."""
    consumers: list[Consumer] = []

    def consumes() -> bool:
        with suppress(LogUnavailable):
            consumers.append(log.consume(queues_of(PARTITIONS)))
        return bool(consumers)

    wait_until(consumes, RECOVERY_SECONDS, lambda: "nothing can be consumed")
    with closing(consumers[0]) as consumer:
        yield consumer


def is_taken(log: EventLog) -> bool:
    try:
        with log.exclusive("cdc.active"):
            return False
    except RightTaken:
        return True


# The broker dies


def test_what_was_confirmed_survives_a_killed_broker_and_the_rest_fails(mortal: Broker, log: RabbitmqEventLog) -> None:
    mortal.restart()  # one that is killed seconds after declaring a queue may leave it without a leader for good
    confirmations = [log.publish(LIVE_0, post(number, characters=4000)) for number in range(1500)]
    confirmations[200].result(DEADLINE_SECONDS)

    mortal.kill()

    failures = [confirmation.exception(DEADLINE_SECONDS) for confirmation in confirmations]
    confirmed = {number for number, failure in enumerate(failures) if failure is None}
    assert {type(failure) for failure in failures if failure} <= {LogUnavailable}
    mortal.start()
    arrived = set[int]()

    def everything_arrived() -> bool:
        taken = consumer.take(LIVE_0, PREFETCH[Lane.LIVE], PLENTY)
        if taken:
            consumer.acknowledge(LIVE_0, taken[-1].position)
        arrived.update(numbers(taken))
        return confirmed <= arrived

    with consuming_again(log) as consumer:
        wait_until(everything_arrived, RECOVERY_SECONDS, lambda: f"lost: {confirmed - arrived}")


def test_what_was_handed_out_before_a_restart_comes_again_and_its_position_means_nothing(
    mortal: Broker, log: RabbitmqEventLog
) -> None:
    publish_all(log, LIVE_0, *map(deletion, range(4)))
    with consuming(log) as consumer:
        stale = take(consumer, LIVE_0, 3)[2].position

        mortal.restart()

        with pytest.raises(LogUnavailable):
            consumer.take(LIVE_0, 1, 1)
        consumer.acknowledge(LIVE_0, stale)
    with consuming_again(log) as consumer:
        taken = take(consumer, LIVE_0, 4)
        consumer.acknowledge(LIVE_0, stale)
        consumer.acknowledge(LIVE_0, taken[0].position)
    with consuming(log) as consumer:
        assert (numbers(taken), numbers(take(consumer, LIVE_0, 3))) == ([0, 1, 2, 3], [1, 2, 3])


def test_publishing_goes_on_after_a_restart(mortal: Broker, log: RabbitmqEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1))

    mortal.restart()

    log.publish(LIVE_0, deletion(2)).exception(RECOVERY_SECONDS)  # the lost connection may be noticed only now
    log.publish(LIVE_0, deletion(3)).result(RECOVERY_SECONDS)


def test_an_alarm_holds_up_who_publishes_and_nobody_else(mortal: Broker, log: RabbitmqEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1))
    mortal.raise_alarm()

    held_up = [log.publish(LIVE_0, deletion(number)) for number in (2, 3)]

    assert (log.missing(), log.waiting()) == ((), 1)
    assert not held_up[1].done()
    mortal.clear_alarm()
    for confirmation in held_up:
        confirmation.result(DEADLINE_SECONDS)


def test_closing_does_not_wait_for_a_broker_that_reads_nothing(mortal: Broker, log: RabbitmqEventLog) -> None:
    mortal.raise_alarm()
    late = [log.publish(LIVE_0, deletion(number)) for number in range(5)][-1]
    began = time.monotonic()

    log.close()

    assert time.monotonic() - began < DEADLINE_SECONDS
    assert isinstance(late.exception(0), LogUnavailable)


def test_closing_before_a_server_that_says_nothing_let_us_in_leaves_nothing_behind() -> None:
    """What ended the thread would fail the test."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Link(RabbitmqAt(f"amqp://127.0.0.1:{silent.getsockname()[1]}"), "in a hurry")
        accepted, _ = silent.accept()

        link.close()

        with accepted:
            accepted.settimeout(DEADLINE_SECONDS)
            while accepted.recv(1024):
                pass


# Queues, bindings and arguments


def test_a_deleted_queue_fails_what_is_published_to_it_alone(broker: Broker, log: RabbitmqEventLog) -> None:
    with broker.connect() as connection:
        connection.channel().queue_delete(LIVE_0.name)

    refused = log.publish(LIVE_0, deletion(1))

    publish_all(log, LIVE_1, deletion(2))
    assert isinstance(refused.exception(DEADLINE_SECONDS), QueueMissing)
    assert log.missing() == (LIVE_0,)


def test_a_lost_binding_is_found_by_what_is_published_and_mended(broker: Broker, log: RabbitmqEventLog) -> None:
    with broker.connect() as connection:
        connection.channel().queue_unbind(LIVE_0.name, EXCHANGE, LIVE_0.routing_key)
    with pytest.raises(QueueMissing):
        publish_all(log, LIVE_0, deletion(1))
    missing_after = log.missing()

    log.declare()

    publish_all(log, LIVE_0, deletion(1))
    assert (missing_after, log.missing()) == ((LIVE_0,), ())


def test_without_the_exchange_every_queue_is_missing(broker: Broker, log: RabbitmqEventLog) -> None:
    with broker.connect() as connection:
        connection.channel().exchange_delete(EXCHANGE)

    assert log.missing() == queues_of(PARTITIONS)


def test_a_consumer_learns_that_its_queue_was_deleted(broker: Broker, log: RabbitmqEventLog) -> None:
    def learned() -> bool:
        try:
            return consumer.peek_cost(LIVE_1) is not None
        except QueueMissing as error:
            return error.queue == LIVE_1

    with consuming(log) as consumer, broker.connect() as connection:
        connection.channel().queue_delete(LIVE_1.name)

        assert eventually(learned)


def test_a_queue_that_was_declared_otherwise_is_explained(broker: Broker) -> None:
    broker.wipe()
    with broker.connect() as connection:
        connection.channel().queue_declare(LIVE_1.name, durable=True)

    with (
        RabbitmqEventLog(broker.url(), PARTITIONS) as log,
        pytest.raises(TopologyRefused, match=rf"{LIVE_1.name}.*inequivalent arg.*delete it"),
    ):
        log.declare()


@pytest.mark.parametrize("asked", [1, 3])
def test_another_number_of_partitions_is_refused(broker: Broker, log: RabbitmqEventLog, asked: int) -> None:
    with RabbitmqEventLog(broker.url(), asked) as other:
        with pytest.raises(PartitionsFixed, match="back to 2"):
            other.missing()
        with pytest.raises(PartitionsFixed, match="back to 2"):
            other.consume(queues_of(asked))
        with pytest.raises(PartitionsFixed, match="back to 2"):
            other.waiting()


def test_what_is_undeclared_can_be_declared_with_another_number(broker: Broker, log: RabbitmqEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1), deletion(2))
    with RabbitmqEventLog(broker.url(), 2 * PARTITIONS) as grown:
        events = grown.undeclare()

        missing = grown.missing()
        grown.declare()

        assert (events, missing) == (2, queues_of(2 * PARTITIONS))
        assert (grown.missing(), grown.waiting()) == ((), 0)
    with pytest.raises(PartitionsFixed, match="back to 4"):
        log.missing()


def test_queues_that_are_read_are_not_undeclared(log: RabbitmqEventLog) -> None:
    def refused() -> bool:
        try:
            log.undeclare()
        except LogInUse as error:
            return error.queue in queues_of(PARTITIONS)
        return False

    publish_all(log, LIVE_1, deletion(1))
    with consuming(log) as consumer:
        take(consumer, LIVE_1, 1)

        assert refused()
    assert log.missing() == ()


def test_the_last_partitions_lost_queues_are_missing_like_any(broker: Broker, log: RabbitmqEventLog) -> None:
    lost = {queue for queue in queues_of(PARTITIONS) if queue.partition == PARTITIONS - 1}
    with broker.connect() as connection, connection.channel() as channel:
        for queue in lost:
            channel.queue_delete(queue.name)

    assert set(log.missing()) == lost


# Consuming


def test_no_more_is_read_ahead_than_the_lanes_prefetch(log: RabbitmqEventLog) -> None:
    for queue in (LIVE_0, REFILL_0):
        publish_all(log, queue, *map(deletion, range(300)))

    with consuming(log) as consumer:
        assert eventually(lambda: consumer.prefetched() == sum(PREFETCH.values()))
        assert log.waiting() == 600 - sum(PREFETCH.values())


def test_a_foreign_message_arrives_without_headers(broker: Broker, log: RabbitmqEventLog) -> None:
    with broker.connect() as connection:
        connection.channel().basic_publish(EXCHANGE, LIVE_0.routing_key, b"\xff noise")

    with consuming(log) as consumer:
        [delivery] = take(consumer, LIVE_0, 1)

    assert (delivery.headers, delivery.body) == (EventHeaders(), b"\xff noise")


# Rights


def test_a_right_is_free_once_its_holder_is_killed(broker: Broker, log: RabbitmqEventLog) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_FOR_EVER, broker.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        taken_before = is_taken(log)

        holder.kill()

        assert taken_before
        assert eventually(lambda: not is_taken(log))


def test_a_right_is_not_given_back_by_who_was_refused_it(broker: Broker, log: RabbitmqEventLog) -> None:
    with RabbitmqEventLog(broker.url(), PARTITIONS) as other, other.exclusive("cdc.active"):
        assert [is_taken(log), is_taken(log)] == [True, True]


def test_who_lost_the_right_publishes_nothing_before_leaving(broker: Broker, log: RabbitmqEventLog) -> None:
    with log.exclusive("cdc.active"):
        publish_all(log, LIVE_0, deletion(1))

        broker.control("close_all_connections", "for a test")

        with pytest.raises(LogUnavailable, match="for a test"):
            publish_all(log, LIVE_0, deletion(2))
        with pytest.raises(LogUnavailable):
            publish_all(log, LIVE_0, deletion(3))
    publish_all(log, LIVE_0, deletion(4))
    with consuming(log) as consumer:
        assert numbers(take(consumer, LIVE_0, 2)) == [1, 4]


# Getting in


def test_a_wrong_password_is_explained_and_not_told(broker: Broker) -> None:
    with (
        RabbitmqEventLog(broker.url(password="not it" + PASSWORD)) as log,
        pytest.raises(LogUnavailable, match=rf"refuses the user '{USER}'.*password") as told,
    ):
        log.missing()

    assert PASSWORD not in str(told.value)


def test_a_missing_virtual_host_is_explained(broker: Broker) -> None:
    with (
        RabbitmqEventLog(broker.url("nowhere")) as log,
        pytest.raises(LogUnavailable, match=r"no virtual host 'nowhere'.*rabbitmqctl add_vhost nowhere"),
    ):
        log.missing()


def test_two_virtual_hosts_are_two_logs(log: RabbitmqEventLog, vhost: str) -> None:
    with RabbitmqEventLog(vhost, PARTITIONS) as other:
        assert len(other.missing()) == 2 * PARTITIONS


def test_tls_takes_a_certificate_that_the_system_trusts_and_no_other(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    config = f"ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n"
    with started_broker(config, tls=True) as guarded:
        with RabbitmqEventLog(guarded.url(), PARTITIONS) as log, pytest.raises(LogUnavailable, match="certificate"):
            log.missing()

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

        with RabbitmqEventLog(guarded.url(), PARTITIONS) as log:
            log.declare()
            publish_all(log, LIVE_0, deletion(1))
            assert eventually(lambda: log.waiting() == 1)
