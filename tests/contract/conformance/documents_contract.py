"""What every document store does. Bound to an adapter by a `home` fixture."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

import pytest

from fakes.clock import SettableClock
from twin_contracts.base import DocumentId
from twin_contracts.documents import (
    MAX_DOCUMENT_BYTES,
    AuthorRef,
    DocumentType,
    RawArticle,
    RawPost,
    Source,
    content_hash,
    document_id_of,
)
from twin_platform.documents.errors import DocumentTooLarge, PositionLost
from twin_platform.documents.port import (
    AuthorCount,
    Change,
    DeletedDocument,
    DocumentStore,
    InvalidDocument,
    Snapshot,
    StoredDocument,
)

PLENTY_SECONDS = 10.0
NOT_JSON = b'{"type": "post", "text": '
ADA = AuthorRef.of("Ada Lovelace")
BOB = AuthorRef.of("Bob")


class DocumentHome(Protocol):
    """Where documents lie, and what a test does to them behind the store's back."""

    def open(self, clock: SettableClock) -> DocumentStore:
        """Open the store on what lies here."""

    def back_up(self) -> None:
        """Remember what lies here. No store is open."""

    def restore(self) -> None:
        """Put back what was remembered. No store is open."""

    def create_anew(self) -> None:
        """Lose everything. No store is open."""

    def spoil(self, document_id: DocumentId, body: bytes) -> None:
        """Replace what is stored under this id by these bytes."""


def post(name: str, text: str = "hello", author: AuthorRef = ADA) -> RawPost:
    """Return a post of the id that follows from `name`."""
    return RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text=text)


def article(name: str, author: AuthorRef = ADA) -> RawArticle:
    """Return an article of the id that follows from `name`."""
    source = Source(platform="test", url=f"https://example.org/{name}")
    return RawArticle(id=document_id_of(name), author=author, source=source, title=name, text="# hello")


def of_size(size: int, committed_at: datetime) -> RawPost:
    """Return a post that has `size` bytes as stored at this moment, most of them in characters of two bytes."""
    rest = size - len(post("large", "").model_copy(update={"committed_at": committed_at}).model_dump_json().encode())
    return post("large", "é" * (rest // 2) + "x" * (rest % 2))


def changes_after(store: DocumentStore, position: str) -> list[Change]:
    """Return all changes after a position."""
    with closing(store.changes(position)) as feed:
        return [change for changes in iter(lambda: feed.read(limit=3, wait=0), []) for change in changes]


def now_position(store: DocumentStore) -> str:
    """Return the position of a feed from now on."""
    with closing(store.changes(None)) as feed:
        return feed.position()


def steps_of(store: DocumentStore, limit: int) -> list[Snapshot]:
    """Return the steps of one scan of everything; the empty one, which is the end, left out."""
    steps: list[Snapshot] = []
    after: DocumentId | None = None
    while (step := store.scan(after, limit)).rows:
        steps.append(step)
        after = max(row.document_id for row in step.rows)
    return steps


def names_to_ids(names: Iterable[str]) -> list[DocumentId]:
    """Return the ids of documents of these names, in id order."""
    return sorted(document_id_of(name) for name in names)


class DocumentStoreContract:
    """Bound by a class with a fixture `home`, empty at first."""

    @pytest.fixture
    def clock(self) -> SettableClock:
        return SettableClock()

    @pytest.fixture
    def store(self, home: DocumentHome, clock: SettableClock) -> Iterator[DocumentStore]:
        with home.open(clock) as store:
            yield store

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
        assert [d.id for d in store.find(author=ADA.id, type=DocumentType.POST)] == names_to_ids("ab")
        assert [d.id for d in store.find(type=DocumentType.ARTICLE)] == names_to_ids("c")

    def test_documents_are_paged_by_the_last_id(self, store: DocumentStore) -> None:
        for name in "abcde":
            store.upsert(post(name))
        ids = names_to_ids("abcde")

        page = store.find(after=ids[1], limit=2)

        assert [document.id for document in page] == ids[2:4]
        assert store.find(after=ids[4]) == []

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

    def test_no_write_shares_its_version_with_a_step_before_or_after_it(self, store: DocumentStore) -> None:
        position = now_position(store)
        store.upsert(post("a"))
        before = store.scan(None, 9).version
        store.upsert(post("b"))
        after = store.read([]).version

        versions = [change.version for change in changes_after(store, position)]

        assert versions[0] < before < versions[1] < after

    def test_a_read_tells_what_is_there_and_what_is_not(self, store: DocumentStore) -> None:
        store.upsert(post("here"))
        store.upsert(post("deleted"))
        store.delete(document_id_of("deleted"))
        ids = [document_id_of(name) for name in ("here", "deleted", "never", "here")]

        snapshot = store.read(ids)

        assert [row.document_id for row in snapshot.rows] == [ids[0]]
        assert sorted(snapshot.absent) == sorted(ids[1:3])
        assert [row.version for row in snapshot.rows] == [snapshot.version]

    def test_a_read_is_not_before_the_version_asked_for(self, home: DocumentHome, clock: SettableClock) -> None:
        home.back_up()
        with home.open(clock) as store:
            clock.turn(timedelta(hours=1))
            told = store.read([]).version
        home.restore()
        clock.turn(timedelta(hours=-1))

        with home.open(clock) as restored:
            assert restored.read([], at_least=told).version > told

    # The feed

    def test_a_feed_from_now_on_tells_later_commits_only(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("before"))
        with closing(store.changes(None)) as feed:
            store.upsert(post("after"))

            (change,) = feed.read(limit=9, wait=0)

        assert isinstance(change, StoredDocument)
        assert change.document == post("after").model_copy(update={"committed_at": clock.now()})
        assert change.committed_at == clock.now()
        assert change.content_hash == content_hash(post("after"))
        assert change.size == len(change.document.model_dump_json().encode())

    def test_changes_come_oldest_first(self, store: DocumentStore) -> None:
        position = now_position(store)
        for name in "zcxab":
            store.upsert(post(name))

        changes = changes_after(store, position)

        assert [change.document_id for change in changes] == [document_id_of(name) for name in "zcxab"]
        assert all(earlier.version < later.version for earlier, later in pairwise(changes))

    def test_a_hundred_edits_of_one_document_are_one_change(self, store: DocumentStore) -> None:
        position = now_position(store)
        for number in range(100):
            store.upsert(post("a", str(number)))

        (change,) = changes_after(store, position)

        assert isinstance(change, StoredDocument)
        assert change.document is not None
        assert change.document.text == "99"

    def test_a_delete_follows_the_change_before_it(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("a"))
        position = now_position(store)
        clock.turn(timedelta(seconds=5))
        store.delete(document_id_of("a"))

        (change,) = changes_after(store, position)

        assert isinstance(change, DeletedDocument)
        assert (change.document_id, change.committed_at) == (document_id_of("a"), clock.now())

    def test_a_feed_hands_out_no_more_than_asked_and_continues_behind_it(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed:
            for name in "abc":
                store.upsert(post(name))

            first, second = feed.read(limit=2, wait=0), feed.read(limit=2, wait=0)

        assert [change.document_id for change in first + second] == [document_id_of(name) for name in "abc"]
        assert len(first) == 2

    def test_a_waiting_feed_wakes_for_a_commit(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed, ThreadPoolExecutor(1) as pool:
            reading = pool.submit(feed.read, limit=9, wait=PLENTY_SECONDS)
            store.upsert(post("a"))

            changes = reading.result(timeout=PLENTY_SECONDS / 2)

        assert [change.document_id for change in changes] == [document_id_of("a")]

    def test_a_quiet_feed_returns_nothing_after_its_wait(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed:
            assert feed.read(limit=9, wait=0.02) == []

    def test_a_position_is_good_after_the_store_is_opened_again(self, home: DocumentHome, clock: SettableClock) -> None:
        with home.open(clock) as store:
            position = now_position(store)
            store.upsert(post("a"))

        with home.open(clock) as again:
            again.upsert(post("b"))
            assert [c.document_id for c in changes_after(again, position)] == [document_id_of("a"), document_id_of("b")]

    def test_a_quiet_feed_s_position_keeps_up_with_the_store(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed:
            position = feed.position()
            store.scan(None, 9)

            assert feed.read(limit=9, wait=0) == []

            assert feed.position() != position
            assert store.captured(feed.position())

    def test_a_position_is_captured_until_something_is_committed(self, store: DocumentStore) -> None:
        store.upsert(post("a"))
        position = now_position(store)
        store.scan(None, 9)
        store.read([document_id_of("a")])
        assert store.captured(position)

        store.upsert(post("b"))

        assert not store.captured(position)

    def test_a_feed_does_not_hand_out_what_was_captured(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed:
            store.upsert(post("a"))
            feed.read(limit=9, wait=0)

            assert store.captured(feed.position())
            assert changes_after(store, feed.position()) == []

    # Positions that are lost

    @pytest.mark.parametrize("token", ["", "nonsense", "1.2", "x:1.2", f"{'0' * 32}:1.2", f"{'0' * 32}:1.2.3"])
    def test_a_position_that_never_was_one_is_lost(self, store: DocumentStore, token: str) -> None:
        with pytest.raises(PositionLost, match="re-emitted"):
            store.changes(token)

        assert not store.captured(token)

    def test_a_position_of_a_store_that_was_created_anew_is_lost(
        self, home: DocumentHome, clock: SettableClock
    ) -> None:
        with home.open(clock) as store:
            store.upsert(post("a"))
            position = now_position(store)
        home.create_anew()

        with home.open(clock) as anew:
            for name in "abc":
                anew.upsert(post(name))
            with pytest.raises(PositionLost):
                anew.changes(position)

    def test_a_position_later_than_the_newest_version_is_lost(self, home: DocumentHome, clock: SettableClock) -> None:
        home.back_up()
        with home.open(clock) as store:
            store.upsert(post("a"))
            position = now_position(store)
        home.restore()

        with home.open(clock) as restored, pytest.raises(PositionLost):
            restored.changes(position)

    def test_a_position_before_a_forgotten_deletion_is_lost(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("a"))
        with closing(store.changes(None)) as feed:
            position = feed.position()
            store.delete(document_id_of("a"))
            clock.turn(timedelta(days=31))

            assert store.forget_deletions(before=clock.now()) == 1

            with pytest.raises(PositionLost):
                store.changes(position)
            with pytest.raises(PositionLost):
                feed.read(limit=9, wait=0)

    def test_a_position_after_a_forgotten_deletion_is_good(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("a"))
        store.delete(document_id_of("a"))
        position = now_position(store)
        clock.turn(timedelta(days=31))

        store.forget_deletions(before=clock.now())

        assert changes_after(store, position) == []

    def test_deletions_from_the_given_moment_on_are_kept(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("a"))
        position = now_position(store)
        store.delete(document_id_of("a"))

        assert store.forget_deletions(before=clock.now()) == 0

        assert [change.document_id for change in changes_after(store, position)] == [document_id_of("a")]

    # Order

    def test_a_clock_ten_minutes_back_changes_nothing_in_the_order(
        self, home: DocumentHome, clock: SettableClock
    ) -> None:
        with home.open(clock) as store:
            store.upsert(post("b"))
            position = now_position(store)
        clock.turn(timedelta(minutes=-10))

        with home.open(clock) as again:
            again.upsert(post("a"))
            step = again.scan(None, 9)
            again.delete(document_id_of("b"))
            changes = changes_after(again, position)

        assert [change.document_id for change in changes] == [document_id_of("a"), document_id_of("b")]
        assert changes[0].version < step.version < changes[1].version

    def test_concurrent_writers_never_share_a_version(self, store: DocumentStore) -> None:
        position = now_position(store)
        names = [f"{writer}-{number}" for number in range(20) for writer in range(4)]
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda name: store.upsert(post(name)), names))

        versions = [change.version for change in changes_after(store, position)]

        assert all(result.changed for result in results)
        assert len(versions) == len(names)
        assert all(earlier < later for earlier, later in pairwise(versions))

    def test_a_feed_that_runs_beside_the_writers_misses_nothing(self, store: DocumentStore) -> None:
        names = [f"{writer}-{number}" for number in range(20) for writer in range(4)]
        seen: set[DocumentId] = set()
        with closing(store.changes(None)) as feed, ThreadPoolExecutor(4) as pool:
            writing = pool.map(lambda name: store.upsert(post(name)), names)
            while changes := feed.read(limit=7, wait=0.2):
                seen.update(change.document_id for change in changes)
            list(writing)
            seen.update(change.document_id for change in feed.read(limit=100, wait=0))

        assert seen == set(names_to_ids(names))

    # What is stored and is no raw document

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (NOT_JSON, "Invalid JSON"),
            (b"\xff\xfe", "Invalid JSON"),
            (b'{"type": "song"}', "does not match any of the expected tags"),
            (b'{"type": "a\\u0000b"}', "does not match any of the expected tags"),
            (b'{"type": "post"}', "post.id: Field required; post.author: Field required"),
            (post("other").model_dump_json().encode(), "calls itself"),
        ],
        ids=["cut off", "not UTF-8", "unknown type", "NUL in the type", "fields missing", "another's id"],
    )
    def test_an_invalid_document_is_told_with_its_reason_and_the_hash_of_its_bytes(
        self, home: DocumentHome, store: DocumentStore, body: bytes, reason: str
    ) -> None:
        position = now_position(store)
        store.upsert(post("a"))
        home.spoil(document_id_of("a"), body)

        told = [*store.scan(None, 9).rows, *store.read([document_id_of("a")]).rows, *changes_after(store, position)]

        assert len(told) == 3
        for row in told:
            assert isinstance(row, InvalidDocument)
            assert row.content_hash == hashlib.sha256(body).hexdigest()
            assert reason in row.reason
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
