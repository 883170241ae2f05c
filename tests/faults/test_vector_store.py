"""Faults of a vector store that is a server: killed, slow, overloaded, or refusing one point."""

import random
import time

import pytest

from benchmarks.load import Load
from benchmarks.spawn import throughout, wait_until
from benchmarks.targets import StoreTarget
from fakes.flow import post
from faults.installations import ServedInstallation
from faults.report import Durations, Seen
from faults.table import fault
from standins.qdrant_faults import Fault
from standins.qdrant_process import requests_met, set_fault
from twin_contracts.documents import content_hash
from twin_contracts.records import RecordStatus, Stage

UPSERT = "points/batch"
NONE = Fault(times=0)
MARK = "wormwood"


@pytest.fixture
def load(services: ServedInstallation) -> Load:
    return Load(1, StoreTarget(services.documents), services.ledger, rate=50, documents=300)


def break_vectors(services: ServedInstallation, fault: Fault) -> None:
    set_fault(services.url("features"), fault)


def met(services: ServedInstallation) -> int:
    return requests_met(services.url("features"))


def wait_until_met(services: ServedInstallation, count: int = 1) -> None:
    wait_until(lambda: met(services) >= count, 60.0, lambda: f"{met(services)} of {count} requests met the fault")


def consumers(services: ServedInstallation) -> set[str]:
    """Return the connections that the flow consumes on."""
    told = services.broker.control("list_consumers", "-p", services.vhost, "channel_pid", "--no-table-headers", "-q")
    return {line.partition(".")[2].rpartition(".")[0] for line in told.split()}


@fault(23, "kill -9 the vector store during an upsert", expected="retried, oracle holds")
def test_a_vector_store_killed_during_upserts_loses_nothing(
    services: ServedInstallation, load: Load, seen: Seen, durations: Durations
) -> None:
    chance = random.Random(23)  # noqa: S311 - the same moments in every run
    kills = int(durations(ci=4, full=20))
    services.start_cdc()
    flow = services.start_flow().wait_for_state("running")
    with load.running():
        for number in range(kills):
            if number % 2:
                break_vectors(services, Fault(path=UPSERT, latency=60, times=1))  # so that one is being answered
                wait_until_met(services)
            else:
                time.sleep(chance.uniform(0.0, 1.0))
            services.vectors.kill()
            services.start_vectors()
            load.wait_for(10)
        break_vectors(services, Fault(path=UPSERT, cut="halfway", times=kills))
        wait_until_met(services, kills)
    services.wait_until_quiet()

    audit, verdict, starts = services.audit(), services.verdict(), flow.starts
    seen(f"{kills} kills, {kills} answers cut, {load.written} writes: {verdict}; leftovers {services.leftovers()}")
    assert verdict.exact
    assert verdict.parked == 0
    assert audit.exact
    assert (services.leftovers(), starts) == (0, 1)


@pytest.mark.parametrize(
    "broken",
    [Fault(status=503), Fault(status=429, retry_after=2), Fault(latency=1)],
    ids=["503", "429", "latency"],
)
@fault(24, "vector store 503, 429, 30 s latency", expected="back-pressure, nothing parked, broker connection kept")
def test_a_vector_store_that_is_overloaded_is_waited_for(
    services: ServedInstallation, load: Load, seen: Seen, durations: Durations, broken: Fault
) -> None:
    lasts = durations(ci=4.0, full=45.0)
    if broken.latency:
        broken = broken.model_copy(update={"latency": durations(ci=3.0, full=30.0)})
    services.start_cdc()
    flow = services.start_flow().wait_for_state("running")
    with load.running():
        load.wait_for(30)
        wait_until(lambda: bool(consumers(services)), 60.0, lambda: "the flow does not consume")
        before = consumers(services)
        break_vectors(services, broken)
        wait_until_met(services)
        throughout(lasts, lambda: flow.alive and flow.state == "running")
        after, held, requests = consumers(services), services.waiting(), met(services)
        break_vectors(services, NONE)
        load.wait_for(30)
    services.wait_until_quiet()

    verdict = services.verdict()
    seen(
        f"{lasts:g} s, {requests} requests met it, {held} events waited, connection kept: {before == after}; {verdict}"
    )
    assert before == after != set()
    assert held > 0
    assert verdict.exact
    assert verdict.parked == 0
    assert services.leftovers() == 0


@fault(25, "vector store refuses one point", expected="that document parked, the batch goes on")
def test_a_point_that_is_refused_parks_its_document_only(services: ServedInstallation, load: Load, seen: Seen) -> None:
    bitter = post("bitter", f"It tastes of {MARK}.")
    break_vectors(services, Fault(path=UPSERT, poison=MARK))
    cdc = services.start_cdc()
    flow = services.start_flow().wait_for_state("running")
    with load.running():
        load.wait_for(30)
        services.documents.upsert(bitter)
        load.wait_for(100)
    services.wait_until_quiet()
    with services.features() as features:
        record = features.records([bitter.id])[bitter.id]
        parked = [one.document_id for one in features.find_records(status=RecordStatus.PARKED)]
    refused, starts = met(services), flow.starts
    break_vectors(services, NONE)
    sweet = post("bitter", "It tastes of honey.")
    services.ledger.begin(sweet.id, content_hash(sweet))
    services.documents.upsert(sweet)
    services.ledger.acknowledge(sweet.id, content_hash(sweet))
    cdc.start()
    flow.start()
    services.wait_until_quiet()

    verdict = services.verdict()
    seen(f"{refused} requests refused, {record.status}: {record.reason!r}; written anew, {verdict}")
    assert (record.status, record.stage, parked, starts) == (RecordStatus.PARKED, Stage.SINK, [bitter.id], 1)
    assert "refused on demand" in (record.reason or "")
    assert verdict.exact
    assert services.leftovers() == 0
