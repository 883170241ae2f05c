"""What every document store's change feed does. Bound to an adapter by a `home` fixture."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import pairwise

import pytest

from contract.conformance.documents_home import (
    DocumentHome,
    OnDocumentHome,
    RowHome,
    changes_after,
    names_to_ids,
    now_position,
    post,
)
from fakes.clock import SettableClock
from twin_contracts.base import DocumentId
from twin_contracts.documents import content_hash, document_id_of
from twin_platform.documents.errors import PositionLost
from twin_platform.documents.port import DeletedDocument, DocumentStore, StoredDocument

PLENTY_SECONDS = 10.0


class ChangeFeedContract(OnDocumentHome):
    """Changes, positions, and the order of both."""

    def test_a_feed_from_now_on_tells_later_commits_only(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("before"))
        with closing(store.changes(None)) as feed:
            store.upsert(post("after"))

            (change,) = feed.read(limit=9, wait=PLENTY_SECONDS)

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

    def test_the_last_change_of_a_document_is_its_newest_state(self, store: DocumentStore) -> None:
        position = now_position(store)
        for number in range(100):
            store.upsert(post("a", str(number)))

        *_, change = changes_after(store, position)

        assert isinstance(change, StoredDocument)
        assert change.document is not None
        assert change.document.text == "99"

    def test_a_delete_is_a_change_of_its_own(self, store: DocumentStore) -> None:
        store.upsert(post("a"))
        position = now_position(store)
        store.delete(document_id_of("a"))

        (change,) = changes_after(store, position)

        assert isinstance(change, DeletedDocument)
        assert change.document_id == document_id_of("a")

    def test_a_feed_hands_out_no_more_than_asked_and_continues_behind_it(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed:
            for name in "abc":
                store.upsert(post(name))

            reads = [feed.read(limit=2, wait=PLENTY_SECONDS)]
            while sum(map(len, reads)) < 3:
                reads.append(feed.read(limit=2, wait=PLENTY_SECONDS))

        changes = [change for read in reads for change in read]
        assert [change.document_id for change in changes] == [document_id_of(name) for name in "abc"]
        assert all(1 <= len(read) <= 2 for read in reads)

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
            feed.read(limit=9, wait=PLENTY_SECONDS)

            assert store.captured(feed.position())
            assert changes_after(store, feed.position()) == []

    def test_what_may_be_written_before_a_position_is_lost_is_told_or_not_known(self, store: DocumentStore) -> None:
        store.upsert(post("a"))

        headroom = store.headroom(now_position(store))

        assert headroom is None or headroom >= 0

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
                changes_after(anew, position)

    # Order

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
        wanted = set(names_to_ids(names))
        with closing(store.changes(None)) as feed, ThreadPoolExecutor(4) as pool:
            writing = pool.map(lambda name: store.upsert(post(name)), names)
            while changes := feed.read(limit=7, wait=0.2):
                seen.update(change.document_id for change in changes)
            list(writing)
            while seen < wanted and (changes := feed.read(limit=100, wait=PLENTY_SECONDS)):
                seen.update(change.document_id for change in changes)

        assert seen == wanted


class RowFeedContract(ChangeFeedContract):
    """What a feed promises beyond that which reads rows by version: no log stands beside them."""

    def test_a_hundred_edits_of_one_document_are_one_change(self, store: DocumentStore) -> None:
        position = now_position(store)
        for number in range(100):
            store.upsert(post("a", str(number)))

        (change,) = changes_after(store, position)

        assert isinstance(change, StoredDocument)
        assert change.document is not None
        assert change.document.text == "99"

    def test_a_delete_tells_when_it_was_committed(self, store: DocumentStore, clock: SettableClock) -> None:
        store.upsert(post("a"))
        position = now_position(store)
        clock.turn(timedelta(seconds=5))
        store.delete(document_id_of("a"))

        (change,) = changes_after(store, position)

        assert isinstance(change, DeletedDocument)
        assert (change.document_id, change.committed_at) == (document_id_of("a"), clock.now())

    def test_a_quiet_feed_s_position_keeps_up_with_the_store(self, store: DocumentStore) -> None:
        with closing(store.changes(None)) as feed:
            position = feed.position()
            store.scan(None, 9)

            assert feed.read(limit=9, wait=0) == []

            assert feed.position() != position
            assert store.captured(feed.position())

    def test_a_position_later_than_the_newest_version_is_lost(self, home: RowHome, clock: SettableClock) -> None:
        home.back_up()
        with home.open(clock) as store:
            store.upsert(post("a"))
            position = now_position(store)
        home.restore()

        with home.open(clock) as restored, pytest.raises(PositionLost):
            restored.changes(position)

    def test_a_store_that_was_restored_goes_on_after_the_position_that_it_lost(
        self, home: RowHome, clock: SettableClock
    ) -> None:
        home.back_up()
        with home.open(clock) as store:
            store.upsert(post("a"))
            position, before = now_position(store), store.read(()).version
            position = now_position(store)
        home.restore()
        clock.turn(timedelta(hours=-1))

        with home.open(clock) as restored:
            with pytest.raises(PositionLost):
                restored.changes(position)
            after = restored.read(()).version
            with pytest.raises(PositionLost):  # whoever was killed before it took note is told again
                restored.changes(position)

            assert after > before
            restored.upsert(post("b"))
            assert restored.captured(now_position(restored))

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
