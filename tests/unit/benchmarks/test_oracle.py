"""The oracle and its ledger: every kind of damage is counted, and what was acknowledged is never forgotten."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.ledger import Ledger
from benchmarks.oracle import Verdict, judge, leftovers
from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.feature_samples import indexed, version, withdrawn
from fakes.features import InMemoryFeatureStore
from fakes.flow import post
from twin_contracts.documents import content_hash
from twin_contracts.records import RecordStatus, text_hash_of
from twin_platform.features.port import ApplyDocument, ApplySlice

OTHER = text_hash_of("other")


@dataclass
class World:
    """Three documents that everything agrees about, and one that was deleted."""

    documents: InMemoryDocumentStore = field(default_factory=lambda: InMemoryDocumentStore(SettableClock()))
    features: InMemoryFeatureStore = field(default_factory=InMemoryFeatureStore)
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        for name in "abc":
            self.put(name)
            self.apply(name)
        self.ledger.acknowledge(post("d", "").id, None)
        self.features.apply([withdrawn("d", version(1), RecordStatus.DELETED)])

    def put(self, name: str, text: str = "first") -> None:
        document = post(name, text)
        self.ledger.acknowledge(document.id, self.documents.upsert(document).content_hash)

    def apply(self, name: str, text: str = "first", at: int = 1) -> None:
        change = indexed(name, version(at), [f"{text} one", f"{text} two"])
        record = change.record.model_copy(update={"content_hash": content_hash(post(name, text))})
        self.features.apply([replace(change, record=record)])

    def verdict(self) -> Verdict:
        return judge(self.ledger, self.documents, self.features)


def forget_a_record(world: World) -> None:
    world.put("e")


def forget_a_document(world: World) -> None:
    world.documents.delete(post("a", "").id)


def lose_a_chunk(world: World) -> None:
    chunk = next(iter(world.features.chunks(post("a", "").id)))
    world.features.remove_chunks([chunk.id], version(9))


def miss_an_edit(world: World) -> None:
    world.put("a", "second")


def miss_a_delete(world: World) -> None:
    world.documents.delete(post("a", "").id)
    world.ledger.acknowledge(post("a", "").id, None)


def resurrect(world: World) -> None:
    world.apply("d", at=2)


def write_behind_the_ledger(world: World) -> None:
    world.documents.upsert(post("nobody's", "text"))


def test_a_world_in_order_is_exact() -> None:
    world = World()

    assert world.verdict() == Verdict(0, 0, 0, 0)
    assert world.verdict().exact
    assert leftovers(world.features) == 0


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (forget_a_record, Verdict(1, 0, 0, 0)),
        (forget_a_document, Verdict(1, 0, 0, 0)),
        (lose_a_chunk, Verdict(1, 0, 0, 0)),
        (miss_an_edit, Verdict(0, 1, 0, 0)),
        (miss_a_delete, Verdict(0, 0, 2, 1)),
        (resurrect, Verdict(0, 0, 2, 1)),
        (write_behind_the_ledger, Verdict(0, 0, 0, 1)),
    ],
)
def test_damage_is_counted(damage: Callable[[World], None], expected: Verdict) -> None:
    world = World()

    damage(world)

    assert world.verdict() == expected
    assert not world.verdict().exact


def test_what_is_parked_and_published_twice_is_told_and_no_failure() -> None:
    world = World()
    parked = withdrawn("a", version(2), RecordStatus.PARKED)
    record = parked.record.model_copy(update={"content_hash": content_hash(post("a", "first"))})
    world.features.apply([ApplyDocument(record)])

    verdict = judge(world.ledger, world.documents, world.features, duplicates=3)

    assert verdict.exact
    assert str(verdict) == "lost 0, stale 0, orphans 0, unexpected 0, parked 1; 3 duplicates"


def test_a_chunk_of_no_revision_in_force_is_left_over_and_no_orphan() -> None:
    world = World()
    unseen = ApplySlice(indexed("a", version(2), ["not yet named by a record"]).chunks)
    world.features.apply([unseen])

    assert world.verdict().exact
    assert leftovers(world.features) == 1


@pytest.mark.parametrize("begun", [OTHER, None], ids=["write", "delete"])
def test_an_unanswered_write_may_have_happened_or_not(begun: str | None) -> None:
    ledger = Ledger()
    ledger.acknowledge("a", text_hash_of("a"))
    ledger.begin("a", begun)

    did_not = ledger.settled({"a": text_hash_of("a")})
    did = ledger.settled({"a": OTHER} if begun else {})

    assert did_not == {"a": text_hash_of("a")}
    assert did == {"a": begun}
    assert ledger.settled({"a": text_hash_of("a third")}) == {"a": text_hash_of("a")}


def test_a_document_whose_first_write_was_never_answered_need_not_be_there() -> None:
    ledger = Ledger()
    ledger.begin("a", OTHER)

    assert ledger.settled({}) == {"a": None}
    assert ledger.settled({"a": OTHER}) == {"a": OTHER}


def test_the_next_answer_ends_the_uncertainty() -> None:
    ledger = Ledger()
    ledger.begin("a", OTHER)
    ledger.begin("a", None)
    ledger.acknowledge("a", None)

    assert ledger.uncertain() == 0
    assert ledger.settled({"a": OTHER}) == {"a": None}


def test_a_ledger_outlives_its_writer_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    first = Ledger(path)
    first.acknowledge("a", OTHER)
    first.begin("b", OTHER)
    path.write_text(path.read_text() + '{"state": "acknow')

    second = Ledger(path)

    assert second.settled({}) == {"a": OTHER, "b": None}
    assert (second.writes, second.uncertain()) == (1, 1)
    first.close()
    second.close()
