"""What cdc survives: killed between any two steps, its position lost, a document too large, another instance."""

import random
import signal
from datetime import UTC, datetime

import pytest

from benchmarks.load import Load
from benchmarks.processes import Services
from benchmarks.spawn import throughout, wait_until
from benchmarks.targets import StoreTarget
from faults import dying_cdc
from faults.conftest import Durations, Seen
from faults.installations import SqliteInstallation
from faults.table import fault
from twin_contracts.documents import MAX_DOCUMENT_BYTES, RAW_DOCUMENT, AuthorRef, RawPost, Source, document_id_of
from twin_contracts.queues import Lane
from twin_contracts.records import RecordStatus
from twin_platform.documents.errors import DocumentTooLarge
from twin_platform.records.positions import POSITIONS, SOURCE
from twin_platform.records.reemissions import open_reemissions

DUPLICATES_ONLY = "replay from the position, duplicates only"


@pytest.fixture
def load(services: Services) -> Load:
    return Load(1, StoreTarget(services.documents), services.ledger, rate=100, documents=600)


def die(services: Services, point: str, count: int) -> None:
    """Run a cdc until it has killed itself."""
    cdc = services.process(f"cdc {point} {count}", "-m", "faults.dying_cdc", point, str(count)).start()
    assert cdc.wait(60) == -signal.SIGKILL, cdc.said


def judged(services: Services, load: Load, seen: Seen) -> int:
    """Let the load and a whole cdc go on, judge by the oracle, and return the duplicates."""
    with load.running():
        services.start_cdc()
        load.wait_for(50)
    services.wait_until_quiet()
    report = services.audit()
    verdict = services.verdict()
    leftovers = services.leftovers()
    seen(f"{load.written} writes: {verdict}; {leftovers} left over after an audit that found {report.counts.differing}")
    assert verdict.exact
    assert (verdict.parked, report.counts.differing, leftovers) == (0, 0, 0)
    return verdict.duplicates


def lose_position(services: SqliteInstallation, load: Load, seen: Seen) -> None:
    """Write while no cdc runs, then lose what it would have to read."""
    load.run(200)
    seen(services.lose_position())


def document_of(size: int, key: str = "the greatest") -> RawPost:
    """Return a document that has exactly this many bytes when it is stored."""
    document = RawPost(
        id=document_id_of(key),
        author=AuthorRef.of("Load Writer"),
        source=Source(platform="load"),
        text="",
        committed_at=datetime(2026, 1, 1, 1, 1, 1, 123456, UTC),
    )
    room = size - len(RAW_DOCUMENT.dump_json(document))
    sentence = f"{'donaudampfschifffahrts' * 2} {'gesellschaftskapitaen' * 2}. "  # long words make few chunks
    return document.model_copy(update={"text": (sentence * (room // len(sentence))).ljust(room, ".")})


@fault(1, "kill -9 cdc between publish and confirm", expected=DUPLICATES_ONLY)
def test_killed_before_it_hears_the_logs_confirmation(services: Services, load: Load, seen: Seen) -> None:
    load.run(100)
    services.start_flow()
    for count in (1, 40):
        die(services, dying_cdc.BEFORE_CONFIRM, count)
    with load.running():
        for count in (1, 7, 150):
            die(services, dying_cdc.BEFORE_CONFIRM, count)

    duplicates = judged(services, load, seen)

    assert duplicates > 0, "it was not killed where it was meant to be"


@fault(2, "kill -9 cdc between confirm and position", expected=DUPLICATES_ONLY)
def test_killed_before_it_writes_its_position(services: Services, load: Load, seen: Seen) -> None:
    load.run(100)
    services.start_flow()
    for count in (1, 2):  # taken anew, and settled: what is owed by then is a re-emission
        die(services, dying_cdc.BEFORE_POSITION, count)
    with load.running():
        for count in (1, 2, 3):
            die(services, dying_cdc.BEFORE_POSITION, count)

    duplicates = judged(services, load, seen)

    assert duplicates > 0, "it was not killed where it was meant to be"


@fault(2, "kill -9 cdc at random, again and again", expected=DUPLICATES_ONLY)
def test_killed_at_random(services: Services, load: Load, seen: Seen, durations: Durations) -> None:
    chance = random.Random(2)  # noqa: S311 - the same moments in every run
    services.start_flow()
    cdc = services.start_cdc()
    with load.running():
        for _ in range(int(durations(ci=8, full=100))):
            cdc.wait_for_state("active")
            load.wait_for(chance.randrange(1, 60))
            cdc.kill()
            cdc.start()
        cdc.wait_for_state("active").terminate()

    judged(services, load, seen)


@fault(
    3,
    "kill -9 cdc in the first snapshot, documents changed while it is down",
    expected="resumes at the last id; the changes arrive",
)
def test_killed_in_the_first_snapshot(services: Services, load: Load, seen: Seen) -> None:
    load.rate = None
    load.run(900)
    services.start_flow()
    wait_until(lambda: bool(open_reemissions(services.records)), 30, lambda: "the flow did not ask for everything")
    die(services, dying_cdc.IN_REEMISSION, 1)
    reached = [request.progress for request in open_reemissions(services.records) if request.progress]
    last_id = max(progress.last_id or "" for progress in reached)
    load.run(200)
    load.rate = 100

    judged(services, load, seen)

    refilled = services.published(Lane.REFILL)
    before = [times for document_id, times in refilled.items() if document_id <= last_id]
    seen(f"resumed after {len(before)} of {len(refilled)} documents")
    assert set(before) == {1}, "it began again"
    assert max(refilled) > last_id


@fault(
    6,
    "position lost while cdc was off (oplog rolled over; SQLite: deletions forgotten); again during the re-emission",
    expected="re-emission from the first id, deletes of the gap purged",
)
def test_position_lost_twice(services: SqliteInstallation, load: Load, seen: Seen) -> None:
    load.rate = None
    load.run(900)
    services.start_flow()
    cdc = services.start_cdc()
    services.wait_until_quiet()
    cdc.terminate()
    lose_position(services, load, seen)
    die(services, dying_cdc.IN_REEMISSION, 1)
    lose_position(services, load, seen)
    before = {lane: services.published(lane) for lane in Lane}
    load.rate = 100

    judged(services, load, seen)

    refilled, live = (services.published(lane) - before[lane] for lane in (Lane.REFILL, Lane.LIVE))
    stored = {document_id for document_id, _ in services.documents.hashes(None, 1000)}
    assert refilled.keys() >= stored - live.keys(), "not everything was published again"


@fault(8, "a document of 8 MiB, and one byte more", expected="passes; refused with the reason")
def test_a_document_of_the_greatest_size(services: Services, load: Load, seen: Seen) -> None:
    greatest = document_of(MAX_DOCUMENT_BYTES)
    services.start_cdc()
    services.start_flow()
    load.target.put(greatest)
    digest = dict(services.documents.hashes(None, 10))[greatest.id]
    services.ledger.acknowledge(greatest.id, digest)

    with pytest.raises(DocumentTooLarge) as refused:
        services.documents.upsert(document_of(MAX_DOCUMENT_BYTES + 1, "one byte more"))

    seen(f"refused: {refused.value}")
    with load.running():
        load.wait_for(50)
    services.wait_until_quiet()
    with services.features() as features:
        record = features.records([greatest.id])[greatest.id]
    seen(f"{record.status} with {record.chunks} chunks")
    assert record.status is RecordStatus.INDEXED
    assert services.verdict().exact
    assert "8,388,609 bytes" in str(refused.value)
    assert "split it" in str(refused.value)


@fault(
    10,
    "two cdc instances; the active one stopped for two minutes, then continued",
    expected="the other takes over (SQLite: waits for it); nothing stale is seen; a stopped holder writes no position",
)
def test_the_active_one_of_two_stopped(services: Services, load: Load, seen: Seen, durations: Durations) -> None:
    services.start_flow()
    active = services.start_cdc("active").wait_for_state("active")
    standby = services.start_cdc("standby").wait_for_state("waiting")
    with load.running():
        load.wait_for(100)
        active.stop_signal()
        position = services.records.get(POSITIONS, SOURCE)
        throughout(
            durations(ci=3, full=120),
            lambda: standby.state == "waiting" and services.records.get(POSITIONS, SOURCE) == position,
        )
        active.continue_()
        load.wait_for(50)
        active.kill()
        standby.wait_for_state("active")
        load.wait_for(50)
    services.wait_until_quiet()

    verdict = services.verdict()

    seen(f"{load.written} writes: {verdict}; the other waited, and took over when it was killed")
    assert verdict.exact
