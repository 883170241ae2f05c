"""What every document store does. Bound to an adapter by a `home` fixture."""

import re
from datetime import timedelta

import pytest

from contract.conformance.documents_home import (
    ADA,
    BOB,
    NOT_JSON,
    DocumentHome,
    OnDocumentHome,
    RowHome,
    article,
    changes_after,
    names_to_ids,
    now_position,
    of_size,
    post,
)
from fakes.clock import SettableClock
from twin_contracts.base import DocumentId
from twin_contracts.documents import (
    MAX_DOCUMENT_BYTES,
    AuthorRef,
    DocumentType,
    Source,
    content_hash,
    document_id_of,
)
from twin_platform.documents.errors import DocumentTooLarge
from twin_platform.documents.port import (
    AuthorCount,
    DeletedDocument,
    DocumentStore,
    InvalidDocument,
    Snapshot,
    StoredDocument,
)


def steps_of(store: DocumentStore, limit: int) -> list[Snapshot]:
    """Return the steps of one scan of everything; the empty one, which is the end, left out."""
    steps: list[Snapshot] = []
    after: DocumentId | None = None
    while (step := store.scan(after, limit)).rows:
        steps.append(step)
        after = max(row.document_id for row in step.rows)
    return steps


class DocumentStoreContract(OnDocumentHome):
    """Writing, listings, snapshots, and what is stored and no raw document."""

    # Writing and reading

    def test_a_document_is_read_back_with_the_moment_of_its_commit(
        self, store: DocumentStore, clock: SettableClock
    ) -> None:
        document = article("a")

        upserted = store.upsert(document)

        assert upserted.changed
        assert upserted.content_hash == content_hash(document)
        assert store.get(document.id) == document.model_copy(update={"committed_at": clock.now()})

    def test_content_that_the_store_holds_is_not_written_again(
        self, store: DocumentStore, clock: SettableClock
    ) -> None:
        store.upsert(post("a"))
        first, position = store.get(document_id_of("a")), now_position(store)
        clock.turn(timedelta(hours=1))
        crawled_again = Source(platform="test", fetched_at=clock.now(), etag="2")

        upserted = store.upsert(post("a").model_copy(update={"source": crawled_again, "committed_at": clock.now()}))

        assert not upserted.changed
        assert store.get(document_id_of("a")) == first
        assert store.captured(position)
        assert changes_after(store, position) == []

    def test_the_moment_of_commit_that_a_writer_sends_is_ignored(
        self, store: DocumentStore, clock: SettableClock
    ) -> None:
        store.upsert(post("a").model_copy(update={"committed_at": clock.now() - timedelta(days=9)}))

        stored = store.get(document_id_of("a"))

        assert stored is not None
        assert stored.committed_at == clock.now()

    def test_a_deleted_document_is_gone_and_deleting_it_again_says_so(self, store: DocumentStore) -> None:
        store.upsert(post("a"))

        assert store.delete(document_id_of("a"))

        assert not store.delete(document_id_of("a"))
        assert store.get(document_id_of("a")) is None
        assert (store.count(), store.find(), store.authors(), store.hashes(None, 9)) == (0, [], [], [])

    def test_a_deleted_document_comes_back_with_the_same_content(self, store: DocumentStore) -> None:
        store.upsert(post("a"))
        store.delete(document_id_of("a"))

        assert store.upsert(post("a")).changed

        assert store.get(document_id_of("a")) is not None

    def test_what_was_written_is_there_when_the_store_is_opened_again(
        self, home: DocumentHome, clock: SettableClock
    ) -> None:
        with home.open(clock) as store:
            store.upsert(post("a"))

        with home.open(clock) as again:
            assert not again.upsert(post("a")).changed

    def test_a_document_of_eight_mebibytes_passes(self, store: DocumentStore, clock: SettableClock) -> None:
        largest = of_size(MAX_DOCUMENT_BYTES, clock.now())

        store.upsert(largest)

        (row,) = store.read([largest.id]).rows
        assert isinstance(row, StoredDocument)
        assert row.size == MAX_DOCUMENT_BYTES
        assert row.document is not None
        assert row.document.text == largest.text

    def test_one_byte_more_is_refused_with_the_reason_and_nothing_is_written(
        self, store: DocumentStore, clock: SettableClock
    ) -> None:
        position = now_position(store)

        with pytest.raises(DocumentTooLarge, match="8,388,609 bytes"):
            store.upsert(of_size(MAX_DOCUMENT_BYTES + 1, clock.now()))

        assert changes_after(store, position) == []

    def test_closing_twice_is_closing_once(self, home: DocumentHome, clock: SettableClock) -> None:
        store = home.open(clock)

        store.close()
        store.close()

    # Listings

    def test_documents_are_found_by_author_and_type_in_id_order(self, store: DocumentStore) -> None:
        for document in (post("a"), post("b"), article("c"), post("d", author=BOB)):
            store.upsert(document)

        assert [d.id for d in store.find()] == names_to_ids("abcd")
        assert [d.id for d in store.find(author=ADA.id)] == names_to_ids("abc")
        assert store.author_of(document_id_of("d")) == BOB.id
        assert [d.id for d in store.find(author=ADA.id, type=DocumentType.POST)] == names_to_ids("ab")
        assert [d.id for d in store.find(type=DocumentType.ARTICLE)] == names_to_ids("c")

    def test_documents_are_paged_by_the_last_id(self, store: DocumentStore) -> None:
        for name in "abcde":
            store.upsert(post(name))
        ids = names_to_ids("abcde")

        page = store.find(after=ids[1], limit=2)

        assert [document.id for document in page] == ids[2:4]
        assert store.find(after=ids[4]) == []

    def test_a_document_that_nobody_changed_is_replaced(self, store: DocumentStore) -> None:
        held = store.upsert(post("a")).content_hash
        position = now_position(store)

        assert store.replace(post("a", author=BOB), held)

        stored = store.get(document_id_of("a"))
        assert stored is not None
        assert stored.author == BOB
        assert [change.document_id for change in changes_after(store, position)] == [document_id_of("a")]

    def test_a_document_that_was_changed_or_deleted_meanwhile_is_not_replaced(self, store: DocumentStore) -> None:
        held = [store.upsert(post(name)).content_hash for name in "ab"]
        store.upsert(post("a", "Edited."))
        store.delete(document_id_of("b"))

        replaced = [store.replace(post(name, author=BOB), one) for name, one in zip("ab", held, strict=True)]

        assert replaced == [False, False]
        edited = store.get(document_id_of("a"))
        assert edited is not None
        assert (edited.text, edited.author) == ("Edited.", ADA)
        assert store.get(document_id_of("b")) is None

    def test_authors_are_counted_under_the_name_of_their_newest_document(self, store: DocumentStore) -> None:
        newest_name = AuthorRef(id=ADA.id, name="Ada L.")
        for document in (post("z"), post("d", author=BOB), post("a", author=newest_name)):
            store.upsert(document)

        assert store.authors() == [AuthorCount(newest_name, 2), AuthorCount(BOB, 1)]

    def test_hashes_are_those_of_the_feed_in_id_order(self, home: DocumentHome, store: DocumentStore) -> None:
        position = now_position(store)
        for name in "abc":
            store.upsert(post(name))
        home.spoil(document_id_of("b"), NOT_JSON)

        hashes = store.hashes(None, 2) + store.hashes(names_to_ids("abc")[1], 2)

        told = {
            c.document_id: c.content_hash for c in changes_after(store, position) if not isinstance(c, DeletedDocument)
        }
        assert hashes == sorted(told.items())
        assert store.hashes(names_to_ids("abc")[2], 2) == []

    # Snapshots

    def test_a_scan_reads_every_document_once_in_id_order(self, store: DocumentStore) -> None:
        for name in "abcdefg":
            store.upsert(post(name))
        store.delete(document_id_of("c"))

        steps = steps_of(store, limit=2)

        assert [row.document_id for step in steps for row in step.rows] == names_to_ids("abdefg")

    def test_every_row_of_a_step_has_the_step_s_version(self, store: DocumentStore) -> None:
        for name in "abc":
            store.upsert(post(name))

        step = store.scan(None, 3)

        assert {row.version for row in step.rows} == {step.version}

    def test_no_later_write_shares_its_version_with_a_step(self, store: DocumentStore) -> None:
        position = now_position(store)
        store.upsert(post("a"))
        before = store.scan(None, 9).version
        store.upsert(post("b"))
        after = store.read([]).version

        versions = [change.version for change in changes_after(store, position)]

        assert versions[0] <= before < versions[1] <= after

    def test_a_read_tells_what_is_there_and_what_is_not(self, store: DocumentStore) -> None:
        store.upsert(post("here"))
        store.upsert(post("deleted"))
        store.delete(document_id_of("deleted"))
        ids = [document_id_of(name) for name in ("here", "deleted", "never", "here")]

        snapshot = store.read(ids)

        assert [row.document_id for row in snapshot.rows] == [ids[0]]
        assert sorted(snapshot.absent) == sorted(ids[1:3])
        assert [row.version for row in snapshot.rows] == [snapshot.version]

    def test_a_read_is_not_before_the_version_asked_for(self, store: DocumentStore) -> None:
        store.upsert(post("a"))
        told = store.read([]).version

        assert store.read([document_id_of("a")], at_least=told).version >= told

    # What is stored and is no raw document

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (NOT_JSON, "Invalid JSON|extract tag"),
            (b"\xff\xfe", "Invalid JSON|extract tag"),
            (b'{"type": "song"}', "does not match any of the expected tags"),
            (b'{"type": "a\\u0000b"}', "does not match any of the expected tags"),
            (b'{"type": "post"}', "post.author: Field required"),
            (post("other").model_dump_json().encode(), "calls itself"),
        ],
        ids=["cut off", "not UTF-8", "unknown type", "NUL in the type", "fields missing", "another's id"],
    )
    def test_an_invalid_document_is_told_with_its_reason_and_the_hash_of_its_bytes(
        self, home: DocumentHome, store: DocumentStore, body: bytes, reason: str
    ) -> None:
        position = now_position(store)
        store.upsert(post("a"))
        known = home.spoil(document_id_of("a"), body)

        told = [*store.scan(None, 9).rows, *store.read([document_id_of("a")]).rows, *changes_after(store, position)]

        assert len(told) >= 3
        for row in (*told[:2], told[-1]):
            assert isinstance(row, InvalidDocument)
            assert row.content_hash == known
            assert re.search(reason, row.reason)
            assert "\x00" not in row.reason

    def test_an_invalid_document_is_neither_got_nor_found(self, home: DocumentHome, store: DocumentStore) -> None:
        for name in "abc":
            store.upsert(post(name))
        first, *others = names_to_ids("abc")
        home.spoil(first, NOT_JSON)

        found = store.find(limit=2)

        assert [document.id for document in found] == others
        assert store.get(first) is None

    def test_writing_an_invalid_document_s_content_again_heals_it(
        self, home: DocumentHome, store: DocumentStore
    ) -> None:
        store.upsert(post("a"))
        home.spoil(document_id_of("a"), NOT_JSON)

        assert store.upsert(post("a")).changed

        assert store.get(document_id_of("a")) is not None


class RowStoreContract(DocumentStoreContract):
    """What a store promises beyond that which allocates its versions itself."""

    def test_a_read_after_a_restore_is_later_than_the_version_asked_for(
        self, home: RowHome, clock: SettableClock
    ) -> None:
        home.back_up()
        with home.open(clock) as store:
            clock.turn(timedelta(hours=1))
            told = store.read([]).version
        home.restore()
        clock.turn(timedelta(hours=-1))

        with home.open(clock) as restored:
            assert restored.read([], at_least=told).version > told
