"""What cdc and the flow survive of a RabbitMQ broker: killed, restarted, in alarm, a queue lost or full, cut off."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from benchmarks.broker import NONE, Broker, program
from benchmarks.broker import broker as started_broker
from benchmarks.load import Load
from benchmarks.processes import Process
from benchmarks.spawn import throughout, wait_until
from benchmarks.targets import StoreTarget
from fakes.flow import post
from faults.conftest import Durations, Seen
from faults.installations import RabbitmqInstallation
from faults.proxy import Proxy
from faults.table import BESIDE_THE_LIST, fault
from twin_contracts.documents import Raw, content_hash
from twin_contracts.queues import EXCHANGE, Lane, Queue, partition_of
from twin_platform.log.rabbitmq_link import HEARTBEAT_SECONDS
from twin_platform.records.positions import POSITIONS, SOURCE, FeedPosition, is_captured
from twin_platform.records.reemissions import FINISHED_REEMISSIONS, ask_reemission

PARTITION = 3
"""Of the queues that something happens to."""
NOTICED_SECONDS = 45.0
FEW_A_SECOND = 40
"""While a heartbeat is missed three times, a faster load would only pile up."""
STANDSTILL_SECONDS = 2.0
MOST_TRIES = 10
"""More than waits of 0.2 s, doubled each time, leave room for while a queue is full."""

ALARMS = {
    "memory": (("set_vm_memory_high_watermark", "0.0000001"), ("set_vm_memory_high_watermark", "absolute", "1GB")),
    "disk": (("set_disk_free_limit", "1000000GB"), ("set_disk_free_limit", "50MB")),
}


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    if program() is None:
        pytest.skip(NONE)
    with started_broker() as broker:
        yield broker


@pytest.fixture
def broker(own_broker: Broker) -> Broker:
    """A broker of this module's own: the others' is never killed."""
    if not own_broker.alive:  # the test before this one has failed
        own_broker.start()
    return own_broker


@pytest.fixture
def load(services: RabbitmqInstallation) -> Load:
    return Load(11, StoreTarget(services.documents), services.ledger, rate=100, documents=600)


def started(services: RabbitmqInstallation, load: Load) -> tuple[Process, Process]:
    """Start cdc and the flow over some documents, and wait until they have settled."""
    load.run(20)
    cdc, flow = services.start_cdc(), services.start_flow()
    services.wait_until_quiet()
    return cdc, flow


def position(services: RabbitmqInstallation) -> FeedPosition | None:
    stored = services.records.get(POSITIONS, SOURCE)
    return stored.record if stored else None


def wait_until_it_moves(services: RabbitmqInstallation, cdc: Process) -> None:
    """Wait until cdc has got further."""
    before = position(services)
    wait_until(lambda: position(services) != before, 60, lambda: f"cdc does not go on:\n{cdc.said[-2000:]}")


def wait_until_it_stands(services: RabbitmqInstallation) -> FeedPosition | None:
    """Wait until cdc has got no further for a while; what it had sent before is settled by then."""
    stands: FeedPosition | None = None

    def moved() -> bool:
        return position(services) != stands

    for _ in range(10):
        stands = position(services)
        with suppress(RuntimeError):
            throughout(STANDSTILL_SECONDS, lambda: not moved())
            return stands
    pytest.fail("cdc goes on and on")


def reasons(services: RabbitmqInstallation) -> list[str]:
    """Return why something was published again."""
    return [stored.record.reason for stored in services.records.find(FINISHED_REEMISSIONS)]


def judged(services: RabbitmqInstallation, load: Load, seen: Seen, *processes: Process) -> None:
    """Let the load go on, and judge by the oracle; none of the processes may have ended by itself."""
    with load.running():
        load.wait_for(50)
    services.wait_until_quiet()
    assert all(process.alive for process in processes)
    report = services.audit()
    verdict, leftovers = services.verdict(), services.leftovers()
    wrong = str(verdict).partition(";")[0]  # what was published again while a broker came up, nobody has counted
    seen(f"{load.written} writes: {wrong}; {leftovers} left over after an audit that found {report.counts.differing}")
    assert verdict.exact
    assert (verdict.parked, report.counts.differing, leftovers) == (0, 0, 0)
    assert services.waiting() == 0, "an acknowledgement was told and never arrived"


def put(services: RabbitmqInstallation, document: Raw) -> None:
    services.ledger.begin(document.id, content_hash(document))
    services.documents.upsert(document)
    services.ledger.acknowledge(document.id, content_hash(document))


@fault(11, "kill -9 the broker during publish", expected="confirmed and lost 0, resumes by itself")
def test_what_a_killed_broker_has_confirmed_is_there(
    services: RabbitmqInstallation, load: Load, seen: Seen, durations: Durations
) -> None:
    chance = random.Random(11)  # noqa: S311 - the same moments in every run
    cdc, flow = started(services, load)
    asked = reasons(services)
    flow.terminate()  # what is confirmed stays in the broker
    with load.running():
        for _ in range(int(durations(ci=2, full=20))):
            load.wait_for(chance.randrange(20, 120))
            services.broker.kill()
            load.wait_for(50)
            services.broker.start()
            services.rabbitmq_tap.resume()
            wait_until_it_moves(services, cdc)
    wait_until(lambda: is_captured(services.documents, services.records), 60, lambda: cdc.said[-2000:])
    seen(f"{services.waiting()} events in the broker")
    flow.start()

    judged(services, load, seen, cdc, flow)

    assert cdc.starts == 1
    assert reasons(services) == asked, "what was lost came again by a re-emission"


@fault(12, "broker restart during consume", expected="no wrong acknowledgement")
def test_a_restarted_broker_hands_out_what_was_not_acknowledged(
    services: RabbitmqInstallation, load: Load, seen: Seen, durations: Durations
) -> None:
    chance = random.Random(12)  # noqa: S311 - the same moments in every run
    cdc, flow = started(services, load)
    asked = reasons(services)
    with load.running():
        for time in range(int(durations(ci=2, full=20))):
            flow.wait_for_state("running")
            flow.stop_signal()  # so that there is something to consume
            load.wait_for(150)
            flow.continue_()
            load.wait_for(chance.randrange(1, 60))
            if time % 2:
                services.broker.stop()
            else:
                services.broker.kill()
            load.wait_for(20)
            services.broker.start()
            services.rabbitmq_tap.resume()
            wait_until_it_moves(services, cdc)

    judged(services, load, seen, cdc, flow)

    assert (cdc.starts, flow.starts) == (1, 1)
    assert reasons(services) == asked, "what was lost came again by a re-emission"


@pytest.mark.parametrize("alarm", ALARMS)
@fault(13, "memory or disk alarm", expected="publisher pauses, position held, then drains")
def test_an_alarm_makes_the_publisher_wait(
    services: RabbitmqInstallation, load: Load, seen: Seen, durations: Durations, alarm: str
) -> None:
    raises, clears = ALARMS[alarm]
    cdc, flow = started(services, load)
    with load.running():
        load.wait_for(100)
        services.broker.control(*raises)
        try:
            stands = wait_until_it_stands(services)
            throughout(durations(ci=3, full=90), lambda: position(services) == stands and cdc.alive and flow.alive)
        finally:
            services.broker.control(*clears)
        wait_until_it_moves(services, cdc)

    judged(services, load, seen, cdc, flow)

    assert (cdc.starts, flow.starts) == (1, 1)


def delete_queues(services: RabbitmqInstallation) -> str:
    with services.connected() as channel:
        gone = [channel.queue_delete(Queue(PARTITION, lane).name).method.message_count for lane in Lane]
    return f"{sum(gone)} events deleted with their queues"


def remove_bindings(services: RabbitmqInstallation) -> str:
    with services.connected() as channel:
        for lane in Lane:
            queue = Queue(PARTITION, lane)
            channel.queue_unbind(queue.name, EXCHANGE, queue.routing_key)
    return "two bindings removed"


def delete_exchange(services: RabbitmqInstallation) -> str:
    with services.connected() as channel:
        channel.exchange_delete(EXCHANGE)
    return "the exchange deleted"


@pytest.mark.parametrize("damage", [delete_queues, remove_bindings, delete_exchange])
@fault(14, "queue deleted, binding removed", expected="declared again, re-emission by itself")
def test_what_the_broker_has_lost_is_declared_again(
    services: RabbitmqInstallation, load: Load, seen: Seen, damage: Callable[[RabbitmqInstallation], str]
) -> None:
    cdc, flow = started(services, load)
    asked = reasons(services)
    with load.running():
        load.wait_for(50)
        seen(damage(services))  # while it is published to, and consumed
        load.wait_for(50)
    services.wait_until_quiet()
    flow.terminate()
    load.run(200)
    wait_until(lambda: is_captured(services.documents, services.records), 60, lambda: cdc.said[-2000:])
    seen(damage(services))  # with what waits there
    flow.start()

    judged(services, load, seen, cdc, flow)

    seen(f"asked: {sorted(set(reasons(services)) - set(asked))}")
    assert cdc.starts == 1
    assert damage is not delete_queues or len(reasons(services)) > len(asked)


@pytest.mark.parametrize("lane", Lane)
@fault(15, "one queue full", expected="its messages wait and nothing is published twice in a circle")
def test_a_full_queue_stops_nothing_but_its_own_events(
    services: RabbitmqInstallation, load: Load, seen: Seen, durations: Durations, lane: Lane
) -> None:
    full = Queue(PARTITION, lane)
    cdc, flow = started(services, load)
    load.run(200)
    services.wait_until_quiet()
    flow.terminate()
    limit_queue(services, full)
    elsewhere = next(one for one in map(told, range(100)) if partition_of(one.id, 8) != PARTITION)
    with load.running():
        if lane is Lane.REFILL:
            ask_reemission(services.records, services.clock, "a full queue")
        load.wait_for(200)
        put(services, elsewhere)
        wait_until(lambda: elsewhere.id in services.published(Lane.LIVE), 20, lambda: cdc.said[-2000:])
        throughout(durations(ci=4, full=60), lambda: cdc.alive)
    assert not is_captured(services.documents, services.records) or lane is Lane.REFILL
    tries, held = services.rabbitmq_tap.tries(), services.waiting()
    flow.start()

    judged(services, load, seen, cdc, flow)

    seen(f"{held} events waited in the broker, one was tried {tries} times at most")
    assert 1 < tries <= MOST_TRIES
    assert cdc.starts == 1


def limit_queue(services: RabbitmqInstallation, queue: Queue) -> None:
    """Let a queue hold so little that some documents fill it; of a queue's own limit and a policy's the lower holds."""
    pattern, policy = f"^{queue.name}$".replace(".", r"\."), json.dumps({"max-length-bytes": 20_000})
    services.broker.control("set_policy", "-p", services.vhost, "small", pattern, policy, "--apply-to", "queues")


def told(number: int) -> Raw:
    return post(f"elsewhere {number}", "It is in another partition.")


@fault(16, "network cut cdc-broker, flow-broker", expected="noticed within 45 s, republished")
def test_a_cut_cable_is_noticed_and_nothing_is_missed(
    services: RabbitmqInstallation, load: Load, seen: Seen, durations: Durations
) -> None:
    load.rate = FEW_A_SECOND
    heartbeat = durations(ci=5, full=HEARTBEAT_SECONDS)
    with Proxy(("127.0.0.1", services.broker.port)) as proxy:
        through = f"{services.broker.url(services.vhost, port=proxy.port)}?heartbeat={heartbeat:g}"
        cdc = services.start_cdc(CDC_LOG_URL=through).wait_for_state("active")
        flow = services.start_flow(FEATURE_STREAM_LOG_URL=through).wait_for_state("running")
        with load.running():
            for _ in range(int(durations(ci=1, full=5))):
                load.wait_for(100)
                proxy.cut()
                for process in (cdc, flow):
                    process.wait_for_state("degraded", NOTICED_SECONDS)
                proxy.mend()
                wait_until_it_moves(services, cdc)
        seen("noticed by cdc and the flow")

        judged(services, load, seen, cdc, flow)

        assert (cdc.starts, flow.starts) == (1, 1)


@fault(BESIDE_THE_LIST, "as 10, on a broker: the active cdc stopped, then continued", expected="the other takes over")
def test_a_stopped_cdc_loses_its_right_to_another(
    services: RabbitmqInstallation, load: Load, seen: Seen, durations: Durations
) -> None:
    load.rate = FEW_A_SECOND
    services.start_flow()
    log = f"{services.url('log')}?heartbeat={durations(ci=5, full=HEARTBEAT_SECONDS):g}"
    active = services.start_cdc("active", CDC_LOG_URL=log).wait_for_state("active")
    standby = services.start_cdc("standby").wait_for_state("waiting")
    with load.running():
        load.wait_for(100)
        active.stop_signal()
        standby.wait_for_state("active", 90)
        load.wait_for(100)
        throughout(durations(ci=0, full=120), lambda: standby.state == "active")
        active.continue_()
        active.wait_for_state("waiting", 60)
        load.wait_for(50)
        standby.kill()
        active.wait_for_state("active")

    judged(services, load, seen, active)
