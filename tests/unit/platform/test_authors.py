import pytest

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.records import InMemoryRecordStore
from twin_contracts.base import Digest
from twin_contracts.documents import AuthorRef, Raw, RawPost, Source, document_id_of
from twin_platform.documents.port import Upserted
from twin_platform.records.authors import (
    known_as,
    merge_authors,
    owner_of,
    set_owner,
    spellings,
    store_document,
)

ALL = 1000
ADA, A_L, BOB = AuthorRef.of("Ada Lovelace"), AuthorRef.of("A. Lovelace"), AuthorRef.of("Bob")


class Killed(Exception):
    """Stands for a kill of the process."""


class InterruptedDocumentStore(InMemoryDocumentStore):
    """Calls `interruption` once, before the write after so many."""

    writes_left = -1

    def interruption(self) -> None:
        raise Killed

    def upsert(self, document: Raw) -> Upserted:
        stored = super().upsert(document)
        self._count()
        return stored

    def replace(self, document: Raw, held: Digest) -> bool:
        self._count()
        return super().replace(document, held)

    def _count(self) -> None:
        self.writes_left -= 1
        if self.writes_left == -1:
            self.interruption()


@pytest.fixture
def documents() -> InterruptedDocumentStore:
    return InterruptedDocumentStore(SettableClock())


@pytest.fixture
def records() -> InMemoryRecordStore:
    return InMemoryRecordStore()


def post(name: str, author: AuthorRef, text: str = "Hello.") -> RawPost:
    return RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text=text)


def counts(documents: InMemoryDocumentStore) -> dict[str, int]:
    return {count.author.name: count.documents for count in documents.authors()}


def test_the_owner_is_who_was_set_last(records: InMemoryRecordStore) -> None:
    before = owner_of(records, otherwise=BOB)
    set_owner(records, A_L)
    set_owner(records, ADA)

    assert (before, owner_of(records, otherwise=BOB)) == (BOB, ADA)


@pytest.mark.parametrize("set_to", [A_L, None])
def test_an_owner_who_was_merged_is_known_as_whom_they_became(
    documents: InMemoryDocumentStore, records: InMemoryRecordStore, set_to: AuthorRef | None
) -> None:
    if set_to is not None:
        set_owner(records, set_to)

    merge_authors(documents, records, A_L, ADA, ALL)

    assert owner_of(records, otherwise=A_L) == ADA


def test_a_merge_moves_what_is_stored_and_what_arrives_later(
    documents: InMemoryDocumentStore, records: InMemoryRecordStore
) -> None:
    for name in "abc":
        store_document(documents, records, post(name, A_L))
    store_document(documents, records, post("d", BOB))

    moved = merge_authors(documents, records, A_L, ADA, ALL)
    store_document(documents, records, post("e", A_L))

    assert moved == 3
    assert counts(documents) == {"Ada Lovelace": 4, "Bob": 1}
    assert spellings(records) == {A_L.id: ADA}


def test_a_document_that_arrives_again_under_the_old_spelling_changes_nothing(
    documents: InMemoryDocumentStore, records: InMemoryRecordStore
) -> None:
    store_document(documents, records, post("a", A_L))
    merge_authors(documents, records, A_L, ADA, ALL)

    assert not store_document(documents, records, post("a", A_L)).changed


def test_a_merge_that_was_killed_is_finished_by_repeating_it(
    documents: InterruptedDocumentStore, records: InMemoryRecordStore
) -> None:
    for name in "abcd":
        store_document(documents, records, post(name, A_L))
    documents.writes_left = 2
    with pytest.raises(Killed):
        merge_authors(documents, records, A_L, ADA, ALL)
    store_document(documents, records, post("e", A_L))
    between = counts(documents)

    moved = merge_authors(documents, records, A_L, ADA, ALL)

    assert between == {"A. Lovelace": 2, "Ada Lovelace": 3}
    assert (moved, counts(documents)) == (2, {"Ada Lovelace": 5})


def test_a_merge_in_steps_moves_each_document_once(
    documents: InterruptedDocumentStore, records: InMemoryRecordStore
) -> None:
    for name in "abcde":
        store_document(documents, records, post(name, A_L))

    moved = [merge_authors(documents, records, A_L, ADA, limit=2) for _ in range(4)]

    assert (moved, counts(documents)) == ([2, 2, 1, 0], {"Ada Lovelace": 5})


def test_a_document_edited_or_deleted_during_a_merge_stays_as_it_was_left(
    documents: InterruptedDocumentStore, records: InMemoryRecordStore
) -> None:
    ids = sorted(document_id_of(name) for name in "abc")
    for document_id in ids:
        store_document(documents, records, post("", A_L).model_copy(update={"id": document_id}))
    edited = post("", A_L, "Edited.").model_copy(update={"id": ids[1]})
    documents.writes_left = 1

    def somebody_else() -> None:
        store_document(documents, records, edited)
        documents.delete(ids[2])

    documents.interruption = somebody_else  # type: ignore[method-assign]  # once, between two writes of the merge

    merge_authors(documents, records, A_L, ADA, ALL)

    assert counts(documents) == {"Ada Lovelace": 2}
    kept = documents.get(ids[1])
    assert kept is not None
    assert kept.text == "Edited."


def test_a_document_that_arrives_while_a_merge_begins_is_moved_all_the_same(
    documents: InterruptedDocumentStore, records: InMemoryRecordStore
) -> None:
    documents.writes_left = 0
    documents.interruption = lambda: merged_elsewhere(records)  # type: ignore[method-assign]  # after its write

    store_document(documents, records, post("a", A_L))

    assert counts(documents) == {"Ada Lovelace": 1}


def merged_elsewhere(records: InMemoryRecordStore) -> None:
    """Merge in a process whose search for documents was over before this one's write."""
    merge_authors(InMemoryDocumentStore(SettableClock()), records, A_L, ADA, ALL)


def test_merged_the_other_way_round_a_spelling_is_itself_again(
    documents: InMemoryDocumentStore, records: InMemoryRecordStore
) -> None:
    store_document(documents, records, post("a", A_L))
    merge_authors(documents, records, A_L, ADA, ALL)

    merge_authors(documents, records, ADA, A_L, ALL)

    assert counts(documents) == {"A. Lovelace": 1}
    assert (known_as(records, A_L), known_as(records, ADA)) == (A_L, A_L)


def test_a_spelling_of_a_spelling_is_known_as_the_last(
    documents: InMemoryDocumentStore, records: InMemoryRecordStore
) -> None:
    merge_authors(documents, records, A_L, ADA, ALL)
    merge_authors(documents, records, ADA, BOB, ALL)

    assert (known_as(records, A_L), spellings(records)) == (BOB, {A_L.id: BOB, ADA.id: BOB})
