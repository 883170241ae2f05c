"""What every record store does. Bound to an adapter by a `home` fixture."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from twin_contracts.base import Contract, Text
from twin_platform.errors import PermanentError
from twin_platform.records.port import ABSENT, Collection, RecordChanged, RecordStore


class Note(Contract):
    """A record of these tests."""

    text: Text = ""
    number: int = 0


NOTES = Collection("notes", Note)
OTHERS = Collection("others", Note)


class RecordHome(Protocol):
    """Where records lie, and what a test does to them behind the store's back."""

    def open(self) -> RecordStore:
        """Open the store on what lies here."""

    def spoil(self, collection: str, key: str, body: str) -> None:
        """Replace what is stored under this key by this text."""


def add_one(store: RecordStore, key: str) -> None:
    """Raise the record's number by one, however often somebody else comes first."""
    while True:
        stored = store.get(NOTES, key)
        number, revision = (stored.record.number, stored.revision) if stored else (0, ABSENT)
        try:
            store.put(NOTES, key, Note(number=number + 1), if_revision=revision)
        except RecordChanged:
            continue
        return


class RecordStoreContract:
    """Bound by a class with a fixture `home`, empty at first."""

    @pytest.fixture
    def store(self, home: RecordHome) -> Iterator[RecordStore]:
        with home.open() as store:
            yield store

    def test_a_record_is_read_back_at_the_revision_of_its_put(self, store: RecordStore) -> None:
        revision = store.put(NOTES, "a", Note(text="é\n\U0001f600"))

        stored = store.get(NOTES, "a")

        assert stored is not None
        assert (stored.key, stored.record, stored.revision) == ("a", Note(text="é\n\U0001f600"), revision)
        assert revision != ABSENT

    def test_a_record_that_was_never_put_is_none(self, store: RecordStore) -> None:
        assert store.get(NOTES, "a") is None

    def test_every_put_has_a_new_revision_even_of_the_same_content(self, store: RecordStore) -> None:
        first = store.put(NOTES, "a", Note())

        assert store.put(NOTES, "a", Note()) != first

    def test_a_put_at_the_present_revision_is_done(self, store: RecordStore) -> None:
        revision = store.put(NOTES, "a", Note(number=1), if_revision=ABSENT)

        store.put(NOTES, "a", Note(number=2), if_revision=revision)

        stored = store.get(NOTES, "a")
        assert stored is not None
        assert stored.record.number == 2

    def test_a_put_at_an_earlier_revision_changes_nothing(self, store: RecordStore) -> None:
        earlier = store.put(NOTES, "a", Note(number=1))
        store.put(NOTES, "a", Note(number=2))

        with pytest.raises(RecordChanged, match=f"notes/a is no longer at revision {earlier}"):
            store.put(NOTES, "a", Note(number=3), if_revision=earlier)

        stored = store.get(NOTES, "a")
        assert stored is not None
        assert stored.record.number == 2

    def test_a_put_that_wants_no_record_is_refused_where_there_is_one(self, store: RecordStore) -> None:
        store.put(NOTES, "a", Note())

        with pytest.raises(RecordChanged):
            store.put(NOTES, "a", Note(), if_revision=ABSENT)

    def test_a_put_at_a_revision_is_refused_where_there_is_no_record(self, store: RecordStore) -> None:
        revision = store.put(NOTES, "a", Note())
        store.delete(NOTES, "a")

        with pytest.raises(RecordChanged):
            store.put(NOTES, "a", Note(), if_revision=revision)

    def test_a_revision_is_not_used_again_after_a_delete(self, store: RecordStore) -> None:
        held = store.put(NOTES, "a", Note(text="held"))
        store.delete(NOTES, "a")
        store.put(NOTES, "a", Note(text="new"), if_revision=ABSENT)

        with pytest.raises(RecordChanged):
            store.put(NOTES, "a", Note(text="stale"), if_revision=held)

    def test_a_deleted_record_is_gone_and_deleting_it_again_says_so(self, store: RecordStore) -> None:
        store.put(NOTES, "a", Note())

        assert store.delete(NOTES, "a")

        assert not store.delete(NOTES, "a")
        assert store.get(NOTES, "a") is None
        assert store.find(NOTES) == []

    def test_collections_do_not_see_each_other(self, store: RecordStore) -> None:
        store.put(NOTES, "a", Note(number=1))
        store.put(OTHERS, "a", Note(number=2))

        store.delete(OTHERS, "a")

        assert [stored.record.number for stored in store.find(NOTES)] == [1]
        assert store.find(OTHERS) == []

    def test_records_are_found_in_key_order_page_by_page(self, store: RecordStore) -> None:
        for key in ("b", "é", "a", "Z", "c"):
            store.put(NOTES, key, Note())

        first = [stored.key for stored in store.find(NOTES, limit=3)]
        rest = [stored.key for stored in store.find(NOTES, after=first[-1], limit=3)]

        assert (first, rest) == (["Z", "a", "b"], ["c", "é"])
        assert store.find(NOTES, after="é") == []

    def test_records_are_there_when_the_store_is_opened_again(self, home: RecordHome) -> None:
        with home.open() as store:
            revision = store.put(NOTES, "a", Note(number=1))

        with home.open() as again:
            assert again.put(NOTES, "a", Note(number=2), if_revision=revision) != revision

    def test_of_many_that_race_for_a_revision_one_wins(self, store: RecordStore) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: add_one(store, "a"), range(40)))

        stored = store.get(NOTES, "a")
        assert stored is not None
        assert stored.record.number == 40

    def test_a_record_that_no_longer_validates_is_named(self, home: RecordHome, store: RecordStore) -> None:
        store.put(NOTES, "a", Note())
        home.spoil("notes", "a", '{"number": "many"}')

        with pytest.raises(PermanentError, match=r"notes/a cannot be read: (.|\n)*number"):
            store.get(NOTES, "a")
        with pytest.raises(PermanentError, match="notes/a"):
            store.find(NOTES)

    def test_a_field_of_a_newer_program_does_no_harm(self, home: RecordHome, store: RecordStore) -> None:
        store.put(NOTES, "a", Note())
        home.spoil("notes", "a", '{"text": "x", "colour": "red"}')

        stored = store.get(NOTES, "a")

        assert stored is not None
        assert stored.record == Note(text="x")

    def test_closing_twice_is_closing_once(self, home: RecordHome) -> None:
        store = home.open()

        store.close()
        store.close()
