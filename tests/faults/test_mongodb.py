"""What cdc survives of MongoDB alone: elections, rollbacks, an oplog that rolls over, collections that come and go."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure
from pymongo.write_concern import WriteConcern

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.processes import Process
from benchmarks.spawn import wait_until
from benchmarks.targets import AskAgain, StoreTarget
from fakes.flow import post
from faults.conftest import Durations, Seen
from faults.installations import NOISE, MongodbInstallation
from faults.table import fault
from integration.mongod import ReplicaSet, replica_set_of_ours
from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw, content_hash
from twin_contracts.queues import Lane
from twin_platform.documents.mongo import COLLECTION
from twin_platform.documents.mongo_bodies import stored_of
from twin_platform.documents.mongo_feed import time_of, version_of
from twin_platform.records.positions import POSITIONS, SOURCE

RESUMES_SECONDS = 15.0
MEGABYTE = "x" * 1024 * 1024
PATIENT_MILLISECONDS = 10_000
"""For so long a primary that has lost its majority still takes writes: long enough to write one."""


@pytest.fixture
def mongodb(server: str, tmp_path: Path) -> Iterator[MongodbInstallation]:
    """An installation on the server that tests share."""
    with MongodbInstallation(tmp_path, Ledger(tmp_path / "ledger"), server=server) as services:
        yield services


@pytest.fixture
def small(tmp_path: Path, durations: Durations) -> Iterator[MongodbInstallation]:
    """An installation on a server of its own, whose oplog rolls over after a few megabytes."""
    options = ("--oplogSize", str(int(durations(ci=16, full=990))), "--syncdelay", "1")
    with replica_set_of_ours(1, *options) as made, of(made, tmp_path) as services:
        yield services


def of(made: ReplicaSet, folder: Path) -> MongodbInstallation:
    return MongodbInstallation(folder, Ledger(folder / "ledger"), server=made.url("twin"))


def load_of(services: MongodbInstallation, rate: float | None = 50) -> Load:
    return Load(1, StoreTarget(services.documents), services.ledger, rate=rate, documents=300)


def put(services: MongodbInstallation, document: Raw, deadline: float = 60.0) -> None:
    """Write until it is acknowledged, as the load does."""
    target, digest = StoreTarget(services.documents), content_hash(document)
    refusals: list[str] = []

    def accepted() -> bool:
        try:
            target.put(document)
        except AskAgain as error:
            refusals[:] = [str(error.__cause__)]
            return False
        return True

    services.ledger.begin(document.id, digest)
    wait_until(accepted, deadline, lambda: f"no write is taken: {refusals}")
    services.ledger.acknowledge(document.id, digest)


def wait_for_live(services: MongodbInstallation, document_id: DocumentId, deadline: float = 60.0) -> None:
    """Wait until cdc has published a change of this document."""

    def told() -> str:
        return "\n".join(f"{process.name} {process.said[-3000:]}" for process in services.processes)

    wait_until(
        lambda: document_id in services.published(Lane.LIVE),
        deadline,
        lambda: f"{document_id} is not published:\n{told()}",
    )


def settled(services: MongodbInstallation, seen: Seen) -> None:
    """Judge by the oracle, after an audit that must find nothing."""
    services.wait_until_quiet()
    report = services.audit()
    verdict, left = services.verdict(), services.leftovers()
    seen(f"{services.ledger.writes} writes: {verdict}; {left} left over, {report.counts.differing} differing")
    assert verdict.exact
    assert (verdict.parked, report.counts.differing, left) == (0, 0, 0)


def begun(services: MongodbInstallation, load: Load, writes: int = 60) -> Process:
    """Start cdc and the flow over a first load, and return cdc when everything has arrived."""
    load.run(writes)
    services.start_flow()
    cdc = services.start_cdc().wait_for_state("active")
    services.wait_until_quiet()
    return cdc


def kill(made: ReplicaSet) -> None:
    made.primary().kill()


def step_down(made: ReplicaSet) -> None:
    made.step_down()


@pytest.mark.parametrize("end", [kill, step_down], ids=["kill -9", "step-down"])
@fault(4, "kill -9 the MongoDB primary, step-down, under load", expected="resumes in 15 s, no gap")
def test_the_primary_ends_under_load(
    tmp_path: Path, seen: Seen, durations: Durations, end: Callable[[ReplicaSet], None]
) -> None:
    took: list[float] = []
    with replica_set_of_ours(3) as made, of(made, tmp_path) as services:
        load = load_of(services)
        begun(services, load)
        with load.running():
            for number in range(int(durations(ci=2, full=10))):
                load.wait_for(30)
                began = time.monotonic()
                end(made)
                marker = post(f"after the end of primary {number}", "Written after it.")
                put(services, marker)
                wait_for_live(services, marker.id)
                took.append(time.monotonic() - began)
                for member in made.members:
                    if not member.alive:
                        member.start()
                made.wait_until_whole()
            load.wait_for(30)

        seen("resumed after " + ", ".join(f"{seconds:.1f}" for seconds in took) + " s")
        settled(services, seen)
    assert max(took) <= RESUMES_SECONDS


@fault(5, "a w:1 write rolled back", expected="never appears downstream")
def test_a_write_that_is_rolled_back(tmp_path: Path, seen: Seen) -> None:
    unkept = post("unkept", "Acknowledged by one member alone.")
    with (
        replica_set_of_ours(3, election_milliseconds=PATIENT_MILLISECONDS) as made,
        of(made, tmp_path) as services,
    ):
        load = load_of(services, rate=None)
        begun(services, load)
        primary = made.primary()
        others = [member for member in made.members if member is not primary]
        for member in others:  # killed, not stopped: what lies in a stopped one's socket would reach it after all
            member.kill()
        with primary.client() as client:
            alone = WriteConcern(w=1, j=True)
            held = client.get_database(services.database.name).get_collection(COLLECTION, write_concern=alone)
            held.insert_one(stored_of(unkept, services.clock.now()))
        primary.kill()
        for member in others:
            member.start()
        load.run(60)  # the first of them waits for the election
        primary.start()
        made.wait_until_whole()
        load.run(30)

        services.wait_until_quiet()
        with primary.client() as client:
            found = client.get_database(services.database.name).get_collection(COLLECTION).find_one({"_id": unkept.id})
        assert found is None, "the write was not rolled back, so nothing was shown"
        assert unkept.id not in services.published(Lane.LIVE) + services.published(Lane.REFILL)
        settled(services, seen)


def drop(services: MongodbInstallation) -> None:
    services.database.drop_collection(COLLECTION)


def rename_away(services: MongodbInstallation) -> None:
    services.database.get_collection(COLLECTION).rename("put_away")


def rename_onto(services: MongodbInstallation) -> None:
    """Replace the collection by another one that has been filled beside it."""
    documents = [post(f"renamed {number}", f"Filled beside it, {number}.") for number in range(20)]
    incoming = services.database.get_collection("incoming")
    incoming.insert_many([stored_of(document, services.clock.now()) for document in documents])
    incoming.rename(COLLECTION, dropTarget=True)
    for document in documents:
        services.ledger.acknowledge(document.id, content_hash(document))


def drop_database(services: MongodbInstallation) -> None:
    services.client.drop_database(services.database.name)


@pytest.mark.parametrize("end", [drop, rename_away, rename_onto, drop_database], ids=lambda end: end.__name__)
@fault(
    7,
    "drop, rename away, another collection renamed onto it, dropDatabase, then new documents",
    expected="old ones purged, new ones stay, stream alive",
)
def test_the_collection_ends(
    mongodb: MongodbInstallation, seen: Seen, end: Callable[[MongodbInstallation], None]
) -> None:
    load = load_of(mongodb, rate=None)
    cdc = begun(mongodb, load)
    for document_id, _ in mongodb.documents.hashes(None, 10_000):
        mongodb.ledger.acknowledge(document_id, None)
    end(mongodb)
    load.run(60)
    mongodb.wait_until_quiet()
    alive = post("after all of it", "The stream is alive.")
    put(mongodb, alive)
    wait_for_live(mongodb, alive.id)

    seen(f"{end.__name__}: cdc is {cdc.state}")
    assert (cdc.alive, cdc.starts) == (True, 1)
    assert "position_lost" in cdc.said
    settled(mongodb, seen)


@fault(31, "two changes of one document in one transaction", expected="the second one's state")
def test_two_changes_of_one_document_in_one_transaction(mongodb: MongodbInstallation, seen: Seen) -> None:
    load = load_of(mongodb, rate=None)
    begun(mongodb, load)
    first, second = (post("changed twice", text) for text in ("The first state.", "The second state."))
    held = mongodb.database.get_collection(COLLECTION)
    with mongodb.client.start_session() as session, session.start_transaction(write_concern=WriteConcern("majority")):
        for document in (first, second):
            stored = stored_of(document, mongodb.clock.now())
            held.replace_one({"_id": document.id}, stored, upsert=True, session=session)
    mongodb.ledger.acknowledge(second.id, content_hash(second))
    load.run(30)

    wait_for_live(mongodb, second.id)
    settled(mongodb, seen)
    with mongodb.features() as features:
        assert features.records([second.id])[second.id].content_hash == content_hash(second)


def position_of(services: MongodbInstallation) -> str:
    stored = services.records.get(POSITIONS, SOURCE)
    assert stored is not None, "cdc has written no position"
    return stored.record.token


def make_noise(services: MongodbInstallation) -> None:
    """Write a megabyte into another database: the oplog moves, the collection stays quiet."""
    noise = services.client.get_database(services.database.name + NOISE).get_collection("noise")
    noise.replace_one({"_id": 1}, {"_id": 1, "filler": f"{time.monotonic()}{MEGABYTE}"}, upsert=True)


def oldest(services: MongodbInstallation) -> Timestamp:
    """Return the time at which the oplog begins; asked again where its first entry was cut off that very moment."""
    oplog = services.client.get_database("local").get_collection("oplog.rs")
    for _ in range(10):
        with suppress(OperationFailure):
            first = oplog.find_one(sort=[("$natural", 1)])
            assert first is not None, "the oplog is empty"
            begins: Timestamp = first["ts"]
            return begins
    pytest.fail("the oplog's first entry was never to be had")


def roll_over(services: MongodbInstallation, deadline: float) -> None:
    """Write elsewhere until the oplog begins later than now."""
    now = services.client.admin.command("hello")["lastWrite"]["opTime"]["ts"]

    def rolled() -> bool:
        make_noise(services)
        return bool(oldest(services) > now)

    wait_until(rolled, deadline, lambda: f"the oplog still begins at {oldest(services)}, before {now}")


@fault(
    6, "the oplog rolled over while cdc was off", expected="re-emission from the first id, deletes of the gap purged"
)
def test_the_oplog_rolls_over_while_cdc_is_off(small: MongodbInstallation, seen: Seen, durations: Durations) -> None:
    load = load_of(small, rate=None)
    cdc = begun(small, load, writes=200)
    cdc.terminate()
    load.run(200)
    roll_over(small, durations(ci=180, full=800))

    cdc.start().wait_for_state("active")
    small.wait_until_quiet()

    told = [event for event in cdc.events() if event.get("event") == "position_lost" or "why" in event]
    seen(f"{[event.get('why') for event in told]}")
    assert told, f"the position was not lost:\n{cdc.said[-3000:]}"
    settled(small, seen)


@fault(9, "a quiet collection while other databases are written to", expected="the position goes on")
def test_the_position_of_a_quiet_collection_goes_on(mongodb: MongodbInstallation, seen: Seen) -> None:
    cdc = begun(mongodb, load_of(mongodb, rate=None))
    before = position_of(mongodb)
    make_noise(mongodb)
    now = version_of(mongodb.client.admin.command("hello")["lastWrite"]["opTime"]["ts"])

    wait_until(lambda: time_of(position_of(mongodb)) >= now, 30, lambda: f"{position_of(mongodb)}:\n{cdc.said[-3000:]}")

    after = position_of(mongodb)
    seen(f"{time_of(before)} became {time_of(after)}")
    assert time_of(after) > time_of(before)
    settled(mongodb, seen)


@fault(9, "a quiet collection past twice the oplog window", expected="position still valid")
def test_a_collection_quiet_for_longer_than_the_oplog(
    small: MongodbInstallation, seen: Seen, durations: Durations
) -> None:
    load = load_of(small, rate=None)
    cdc = begun(small, load)
    refilled = small.published(Lane.REFILL)
    for _ in range(2):
        roll_over(small, durations(ci=180, full=400))
    wait_until(
        lambda: time_of(position_of(small)) > version_of(oldest(small)),
        30,
        lambda: f"the position is {time_of(position_of(small))}, the oplog begins at {oldest(small)}",
    )

    cdc.terminate()
    cdc.start().wait_for_state("active")
    load.run(30)
    small.wait_until_quiet()

    seen(f"{small.published(Lane.REFILL).total() - refilled.total()} documents published again")
    assert small.published(Lane.REFILL) == refilled
    settled(small, seen)
