"""The load generator: the same writes for the same seed, and a ledger that says what the store was told."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.oracle import hashes_of
from benchmarks.targets import AskAgain, StoreTarget, Unanswered
from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import CLAIM_CHECK_BYTES

WRITES = 400


@dataclass
class Recorder:
    """A target that remembers what it was told, and answers as it is set to."""

    told: list[tuple[DocumentId, str | None]] = field(default_factory=list)
    documents: list[Raw] = field(default_factory=list)
    answer: type[Exception] | None = None

    def put(self, document: Raw) -> None:
        self.documents.append(document)
        self._answer(document.id, content_hash(document))

    def delete(self, document_id: DocumentId) -> None:
        self._answer(document_id, None)

    def _answer(self, document_id: DocumentId, held: str | None) -> None:
        self.told.append((document_id, held))
        answer, self.answer = self.answer, None
        if answer:
            raise answer


def written(seed: int) -> Recorder:
    recorder = Recorder()
    Load(seed, recorder, Ledger(), documents=50).run(WRITES)
    return recorder


def test_the_same_seed_writes_the_same() -> None:
    assert written(1).told == written(1).told
    assert written(1).told != written(2).told


def test_it_creates_edits_and_deletes_small_and_great_documents_of_every_type() -> None:
    recorder = written(1)
    times = Counter(document_id for document_id, _ in recorder.told)

    assert len(recorder.told) == WRITES
    assert len(times) == 50
    assert min(times.values()) > 1
    assert sum(held is None for _, held in recorder.told) > WRITES // 20
    assert {document.type.value for document in recorder.documents} == {"post", "article", "code"}
    sizes = sorted(len(document.text) for document in recorder.documents)
    assert sizes[0] < 200
    assert sizes[-1] > CLAIM_CHECK_BYTES


def test_the_ledger_is_what_the_store_holds() -> None:
    store, ledger = InMemoryDocumentStore(SettableClock()), Ledger()

    Load(3, StoreTarget(store), ledger, documents=50).run(WRITES)

    stored = hashes_of(store)
    assert {key: held for key, held in ledger.settled(stored).items() if held} == stored
    assert ledger.uncertain() == 0
    assert ledger.writes == WRITES


def test_a_write_that_can_be_asked_for_again_is() -> None:
    recorder, ledger = Recorder(answer=AskAgain), Ledger()

    Load(1, recorder, ledger).run(1)

    assert recorder.told == [recorder.told[0]] * 2
    assert (ledger.writes, ledger.uncertain()) == (1, 0)


def test_a_document_whose_write_was_never_answered_is_left_alone() -> None:
    recorder, ledger = Recorder(answer=Unanswered), Ledger()

    Load(1, recorder, ledger, documents=2).run(40)

    assert [told for told in recorder.told if told[0] == recorder.told[0][0]] == recorder.told[:1]
    assert (ledger.writes, ledger.uncertain()) == (39, 1)


def test_what_ends_the_writing_is_raised_where_it_is_waited_for() -> None:
    load = Load(1, Recorder(answer=ZeroDivisionError), Ledger())

    with pytest.raises(ZeroDivisionError), load.running():
        load.wait_for(1)
