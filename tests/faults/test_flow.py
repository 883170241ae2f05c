"""What the flow survives: killed at random, a document that no handler can take, a document that kills."""

import random
import time

import pytest

from benchmarks.broken_flow import KILL, MARK, RAISE
from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.processes import Process, Services, restarting
from benchmarks.spawn import free_port, wait_until
from benchmarks.system import running_system
from benchmarks.targets import HttpTarget, StoreTarget
from fakes.flow import post
from faults.conftest import Durations, Seen
from faults.table import fault
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import Cause
from twin_contracts.records import DocumentRecord, RecordStatus, Stage
from twin_platform.records.reemissions import ask_reemission

KILLS = 20
MOST_RESTARTS = 6
MARKED = post("marked", f"A path leads to the mill. {MARK} Whoever follows it comes back.")
"""What the broken handlers fail over."""


@pytest.fixture
def load(services: Services) -> Load:
    return Load(1, StoreTarget(services.documents), services.ledger, rate=100, documents=600)


def put(services: Services, document: Raw) -> None:
    services.ledger.begin(document.id, content_hash(document))
    services.documents.upsert(document)
    services.ledger.acknowledge(document.id, content_hash(document))


def record_of(services: Services, document: Raw) -> DocumentRecord:
    with services.features() as features:
        return features.records([document.id])[document.id]


def parked(services: Services) -> list[str]:
    with services.features() as features:
        return [record.document_id for record in features.find_records(status=RecordStatus.PARKED)]


@fault(17, "kill -9 the flow, at random, 20 times", expected="lost 0, parked 0")
def test_a_flow_killed_at_random_loses_nothing(
    services: Services, load: Load, seen: Seen, durations: Durations
) -> None:
    chance = random.Random(17)  # noqa: S311 - the same moments in every run
    longest = durations(ci=0.6, full=10.0)
    services.start_cdc()
    flow = services.start_flow()
    with load.running():
        for _ in range(KILLS):
            flow.wait_for_state("running")
            time.sleep(chance.uniform(0.0, longest))
            flow.kill()
            flow.start()
        load.wait_for(50)
    services.wait_until_quiet()

    audit, verdict = services.audit(), services.verdict()

    seen(f"{load.written} writes: {verdict}; leftovers {services.leftovers()}")
    assert verdict.exact
    assert verdict.parked == 0
    assert audit.exact
    assert services.leftovers() == 0


@fault(17, "kill -9 what `twin up` started, at random", expected="lost 0, parked 0; its parent starts it again")
def test_a_system_killed_at_random_loses_nothing(seen: Seen, durations: Durations) -> None:
    chance = random.Random(17)  # noqa: S311 - the same moments in every run
    with (
        running_system(EMBEDDING_MODEL="hashing", RAG_API_PORT=str(free_port())) as system,
        Services(system.data, Ledger()) as services,
        system.client() as client,
    ):
        load = Load(2, HttpTarget(client), services.ledger, rate=50, documents=600)
        with load.running():
            for _ in range(int(durations(ci=4, full=KILLS))):
                time.sleep(chance.uniform(0.2, durations(ci=1.0, full=10.0)))
                system.kill_child()
                system.wait_until_ready()
            load.wait_for(50)
        services.wait_until_quiet()
        assert system.stop() == 0

        verdict = services.verdict()

        seen(f"{load.written} writes: {verdict}; leftovers {services.leftovers()}")
        assert verdict.exact
        assert verdict.parked == 0


@pytest.mark.parametrize("stage", [Stage.CLEAN, Stage.CHUNK, Stage.EMBED])
@fault(18, "an exception for one document", expected="its record says so, neighbours written, flow alive")
def test_an_exception_parks_its_document_alone(services: Services, load: Load, seen: Seen, stage: Stage) -> None:
    broken = services.process("broken", "-m", "benchmarks.broken_flow", stage, RAISE).start()
    cdc = services.start_cdc()
    with load.running():
        load.wait_for(50)
        put(services, MARKED)
        load.wait_for(50)
    services.wait_until_quiet()
    assert broken.starts == 1
    assert broken.alive
    audit = services.audit()

    verdict, record, others = services.verdict(), record_of(services, MARKED), parked(services)

    seen(f"{record.status} by {record.stage}: {record.reason!r}; {verdict}")
    assert (record.status, record.stage, record.text) == (RecordStatus.PARKED, stage, None)
    assert record.reason == "ZeroDivisionError: it came to the wormwood"
    assert others == [MARKED.id]
    assert verdict.exact
    assert audit.exact, "a parked document is no difference"
    assert replayed(services, cdc) is RecordStatus.INDEXED


@pytest.mark.parametrize("stage", [Stage.CLEAN, Stage.EMBED])
@fault(19, "a document that kills the process", expected="at most 6 restarts, then only that one parked")
def test_a_document_that_kills_is_parked_alone(services: Services, load: Load, seen: Seen, stage: Stage) -> None:
    deadly = services.process("deadly", "-m", "benchmarks.broken_flow", stage, KILL).start()
    cdc = services.start_cdc()
    with restarting(deadly):
        with load.running():
            load.wait_for(50)
            put(services, MARKED)
            wait_until(lambda: deadly.starts > MOST_RESTARTS, 120, lambda: deadly.said)
            load.wait_for(50)
        services.wait_until_quiet()

    verdict, record, others = services.verdict(), record_of(services, MARKED), parked(services)

    seen(f"{deadly.starts - 1} restarts, then {record.status}: {record.reason!r}; {verdict}")
    assert deadly.starts - 1 <= MOST_RESTARTS
    assert others == [MARKED.id]
    assert "died 6 times" in (record.reason or "")
    assert verdict.exact
    assert replayed(services, cdc) is RecordStatus.INDEXED


def replayed(services: Services, cdc: Process) -> RecordStatus:
    """Try the marked document again by a flow whose handlers are whole, and return what became of it."""
    ask_reemission(services.records, services.clock, "try again", (MARKED.id,), Cause.REPLAY)
    cdc.start()
    services.start_flow()
    services.wait_until_quiet()
    return record_of(services, MARKED).status
