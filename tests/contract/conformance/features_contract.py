"""What every feature store does. Bound to an adapter by a `store` fixture with `PARTITIONS` partitions."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from fakes.feature_samples import (
    BLOG,
    CODE,
    EMBEDDER,
    POST,
    about,
    asked,
    deleted,
    indexed,
    names_in_partition,
    seen,
    sliced,
    stored,
    texts_of,
    version,
    withdrawn,
)
from twin_contracts.documents import DocumentType, document_id_of
from twin_contracts.events import Version
from twin_contracts.records import RecordStatus, text_hash_of
from twin_platform.features.port import ApplyPurge, FeatureQuery, FeatureStore

PARTITIONS = 4
REFUSED = (RecordStatus.REJECTED, RecordStatus.PARKED)
WITHDRAWN = (*REFUSED, RecordStatus.DELETED)
NEWER = [
    (version(7, 1), version(7, 2)),
    (version(7, 9), version(8, 0)),
    (version(2**31 - 1, 2**31), version(2**31, 0)),
    (version(2**32 - 1, 2**32 - 2), version(2**32 - 1, 2**32 - 1)),
    (version(1_750_000_000, 2**53 - 2), version(1_750_000_000, 2**53 - 1)),
    (version(1_750_000_000, 2**40), version(1_750_000_001, 0)),
]


class EpochContract:
    """The newest version wins, whatever is repeated or late."""

    def test_an_indexed_document_is_found_with_its_record(self, store: FeatureStore) -> None:
        change = indexed("essay", version(1), ["looms and cards", "engines and numbers"])

        store.apply([change])

        assert texts_of(store.search(asked("looms"))) == {"looms and cards", "engines and numbers"}
        assert store.records([document_id_of("essay")]) == {document_id_of("essay"): change.record}

    def test_an_edit_takes_its_place_beside_documents_that_are_older_than_what_it_replaces(
        self, store: FeatureStore
    ) -> None:
        store.apply([indexed("essay", version(4), ["a"]), indexed("gone", version(4), ["b"])])

        store.apply(
            [indexed("essay", version(5), ["c"]), deleted("gone", version(5)), indexed("old", version(2), ["d"])]
        )

        assert [seen(store, name) for name in ("essay", "gone", "old")] == [{"c"}, set(), {"d"}]

    def test_a_shorter_version_leaves_exactly_its_own_points(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), [f"paragraph {number}" for number in range(20)])])

        store.apply([indexed("essay", version(2), ["one", "two", "paragraph 3"])])

        assert stored(store, "essay") == ["one", "paragraph 3", "two"]
        assert seen(store, "essay") == {"one", "two", "paragraph 3"}

    def test_equal_texts_of_one_document_are_separate_points(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["again", "again"])])

        assert stored(store, "essay") == ["again", "again"]

    @pytest.mark.parametrize(("older", "newer"), NEWER)
    def test_versions_compare_as_a_pair_of_integers(self, store: FeatureStore, older: Version, newer: Version) -> None:
        store.apply([indexed("essay", newer, ["new"])])

        store.apply([indexed("essay", older, ["old"])])

        assert (seen(store, "essay"), stored(store, "essay")) == ({"new"}, ["new"])

    @pytest.mark.parametrize(("older", "newer"), NEWER)
    def test_a_later_version_replaces_what_is_stored(self, store: FeatureStore, older: Version, newer: Version) -> None:
        store.apply([indexed("essay", older, ["old"])])

        store.apply([indexed("essay", newer, ["new"])])

        assert (seen(store, "essay"), stored(store, "essay")) == ({"new"}, ["new"])

    def test_applying_twice_changes_nothing(self, store: FeatureStore) -> None:
        epoch = [indexed("essay", version(1), ["a", "b"]), deleted("gone", version(1))]
        store.apply(epoch)
        before = (list(store.find_records()), list(store.chunks()))

        store.apply(epoch)

        assert (list(store.find_records()), list(store.chunks())) == before

    def test_of_two_outcomes_of_one_version_the_first_stays(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["a", "b"])])

        store.apply([indexed("essay", version(1), ["c"])])
        store.apply([withdrawn("essay", version(1), RecordStatus.PARKED)])

        assert (seen(store, "essay"), stored(store, "essay")) == ({"a", "b"}, ["a", "b"])

    @pytest.mark.parametrize("status", WITHDRAWN)
    def test_a_withdrawn_version_takes_the_chunks_before_it(self, store: FeatureStore, status: RecordStatus) -> None:
        store.apply([indexed("essay", version(1), ["a", "b"])])
        change = withdrawn("essay", version(2), status)

        store.apply([change])

        assert stored(store, "essay") == []
        assert store.records([document_id_of("essay")]) == {document_id_of("essay"): change.record}

    @pytest.mark.parametrize("status", WITHDRAWN)
    def test_a_stale_upsert_resurrects_nothing(self, store: FeatureStore, status: RecordStatus) -> None:
        store.apply([withdrawn("essay", version(2), status)])

        store.apply([indexed("essay", version(1), ["a", "b"])])

        assert (seen(store, "essay"), stored(store, "essay")) == (set(), [])
        assert store.count_records(status) == 1

    @pytest.mark.parametrize("status", WITHDRAWN)
    def test_a_stale_withdrawal_takes_nothing(self, store: FeatureStore, status: RecordStatus) -> None:
        store.apply([indexed("essay", version(2), ["a", "b"])])

        store.apply([withdrawn("essay", version(1), status)])

        assert seen(store, "essay") == {"a", "b"}

    def test_a_withdrawn_document_comes_back_with_a_newer_version(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["a", "b"])])
        store.apply([deleted("essay", version(2))])

        store.apply([indexed("essay", version(3), ["a", "b"])])

        assert seen(store, "essay") == {"a", "b"}

    def test_any_order_of_versions_ends_in_the_newest(self, store: FeatureStore) -> None:
        for case, order in enumerate(permutations(range(1, 5))):
            name = f"essay-{case}"
            changes = {
                1: indexed(name, version(1), ["a", "b"]),
                2: withdrawn(name, version(2), RecordStatus.REJECTED),
                3: deleted(name, version(3)),
                4: indexed(name, version(4), ["b", "c"]),
            }

            for number in order:
                store.apply([changes[number]])

            assert stored(store, name) == ["b", "c"]

    def test_a_document_that_becomes_code_moves_with_its_chunks(self, store: FeatureStore) -> None:
        store.apply([indexed("main", version(1), ["def main"], BLOG)])

        store.apply([indexed("main", version(2), ["def other"], CODE)])

        assert stored(store, "main") == ["def other"]
        assert texts_of(store.search(replace(asked("def main"), types=(DocumentType.ARTICLE,)))) == set()
        assert texts_of(store.search(replace(asked("def main"), types=(DocumentType.CODE,)))) == {"def other"}

    def test_one_epoch_holds_many_documents(self, store: FeatureStore) -> None:
        store.apply([indexed("kept", version(1), ["kept"]), indexed("gone", version(1), ["gone"])])

        store.apply(
            [
                indexed("kept", version(2, 1), ["kept longer"]),
                deleted("gone", version(2, 2)),
                *(indexed(f"bulk {number}", version(2, number), [f"text {number}"]) for number in range(150)),
                withdrawn("refused", version(3), RecordStatus.PARKED),
            ]
        )

        assert store.count_records(RecordStatus.INDEXED) == 151
        assert store.count_chunks() == 151
        assert stored(store, "gone") == []

    def test_text_outside_ascii_comes_back_as_it_was(self, store: FeatureStore) -> None:
        text = "naïve ‘quotes’ 数学 🧵\ttabs"

        store.apply([indexed("essay", version(1), [text])])

        assert seen(store, "essay") == {text}


class SliceContract:
    """A document in slices is seen when its record says so, and then whole."""

    def test_a_slice_is_not_seen_before_its_record(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["old"])])
        first, rest = sliced(indexed("essay", version(2), ["a", "b", "c"]), 2)

        store.apply([first])

        assert (seen(store, "essay"), stored(store, "essay")) == ({"old"}, ["a", "b", "old"])
        store.apply([rest])
        assert (seen(store, "essay"), stored(store, "essay")) == ({"a", "b", "c"}, ["a", "b", "c"])

    def test_an_older_change_between_slices_takes_none_of_them(self, store: FeatureStore) -> None:
        first, rest = sliced(indexed("essay", version(3), ["a", "b", "c"]), 2)
        store.apply([first])

        store.apply([withdrawn("essay", version(2), RecordStatus.REJECTED)])

        store.apply([rest])
        assert seen(store, "essay") == {"a", "b", "c"}

    def test_a_slice_older_than_the_record_is_dropped(self, store: FeatureStore) -> None:
        first, _ = sliced(indexed("essay", version(1), ["a", "b"]), 1)
        store.apply([deleted("essay", version(2))])

        store.apply([first])

        assert stored(store, "essay") == []

    def test_a_newer_version_takes_the_slices_left_behind(self, store: FeatureStore) -> None:
        first, _ = sliced(indexed("essay", version(1), ["a", "b"]), 1)
        store.apply([first])

        store.apply([indexed("essay", version(2), ["c"])])

        assert stored(store, "essay") == ["c"]


class PurgeContract:
    """What a re-emission did not meet was deleted unseen."""

    def test_older_records_of_the_partition_become_tombstones(self, store: FeatureStore) -> None:
        unseen, met, at_the_start = names_in_partition(1, PARTITIONS, 3)
        (elsewhere,) = names_in_partition(2, PARTITIONS, 1)
        for name, at in ((unseen, 4), (met, 6), (at_the_start, 5), (elsewhere, 4)):
            store.apply([indexed(name, version(at), [name])])

        store.apply([ApplyPurge(1, version(5))])

        assert stored(store, unseen) == []
        assert store.records([document_id_of(unseen)])[document_id_of(unseen)] == deleted(unseen, version(5)).record
        assert all(seen(store, name) == {name} for name in (met, at_the_start, elsewhere))

    def test_a_refused_record_is_purged_too(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([withdrawn(name, version(1), RecordStatus.PARKED)])

        store.apply([ApplyPurge(0, version(2))])

        assert store.count_records(RecordStatus.DELETED) == 1

    def test_an_older_tombstone_stays_as_it_is(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([deleted(name, version(1))])

        store.apply([ApplyPurge(0, version(9))])

        assert [record.version for record in store.find_records()] == [version(1)]

    def test_a_purge_comes_after_the_documents_of_its_epoch(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([indexed(name, version(1), ["old"])])

        store.apply([ApplyPurge(0, version(5)), indexed(name, version(5), ["met"])])

        assert seen(store, name) == {"met"}

    def test_a_purge_leaves_what_is_newer_than_it(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([indexed(name, version(1), ["old"])])
        first, rest = sliced(indexed(name, version(7), ["new", "newer"]), 1)
        store.apply([first])

        store.apply([ApplyPurge(0, version(5))])

        store.apply([rest])
        assert seen(store, name) == {"new", "newer"}

    def test_an_event_of_before_the_purge_resurrects_nothing(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([indexed(name, version(1), ["old"])])
        store.apply([ApplyPurge(0, version(5))])

        store.apply([indexed(name, version(4), ["late"])])

        assert (seen(store, name), stored(store, name)) == (set(), [])

    def test_an_event_of_before_the_purge_brings_in_nothing_that_had_no_record(self, store: FeatureStore) -> None:
        whole, cut, elsewhere = (*names_in_partition(0, PARTITIONS, 2), *names_in_partition(1, PARTITIONS, 1))
        store.apply([ApplyPurge(0, version(5))])
        first, rest = sliced(indexed(cut, version(4), ["a", "b"]), 1)

        store.apply([indexed(whole, version(4, 9), ["late"]), first, indexed(elsewhere, version(4), ["other"])])
        store.apply([rest])

        assert [stored(store, name) for name in (whole, cut, elsewhere)] == [[], [], ["other"]]
        records = store.records([document_id_of(whole), document_id_of(cut)])
        assert set(records.values()) == {deleted(name, version(5)).record for name in (whole, cut)}

    def test_what_is_not_older_than_the_purge_comes_in_after_it(self, store: FeatureStore) -> None:
        met, created = names_in_partition(0, PARTITIONS, 2)
        store.apply([ApplyPurge(0, version(5))])

        store.apply([indexed(met, version(5), ["met"]), indexed(created, version(5, 1), ["created"])])

        assert (seen(store, met), seen(store, created)) == ({"met"}, {"created"})

    def test_a_late_event_does_not_bury_what_the_re_emission_met(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([indexed(name, version(5), ["met"]), ApplyPurge(0, version(5))])

        store.apply([indexed(name, version(4), ["late"])])

        assert (seen(store, name), stored(store, name)) == ({"met"}, ["met"])

    def test_an_older_purge_that_comes_again_takes_nothing_back(self, store: FeatureStore) -> None:
        (name,) = names_in_partition(0, PARTITIONS, 1)
        store.apply([ApplyPurge(0, version(5))])
        store.apply([ApplyPurge(0, version(3))])

        store.apply([indexed(name, version(4), ["late"])])

        assert stored(store, name) == []

    def test_a_purge_leaves_nothing_that_anybody_reads_as_a_document(self, store: FeatureStore) -> None:
        for partition in range(PARTITIONS):
            store.apply([ApplyPurge(partition, version(5))])

        assert (list(store.find_records()), store.is_empty()) == ([], True)
        assert [store.count_records(status) for status in RecordStatus] == [0, 0, 0, 0]
        assert store.forget_tombstones(version(9)) == 0
        store.apply([indexed("essay", version(4), ["late"])])
        assert seen(store, "essay") == set()


class SearchContract:
    """Hybrid search over what is in force."""

    def test_the_nearest_text_comes_first_with_its_cosine_and_vector(self, store: FeatureStore) -> None:
        texts = ["punched cards drive the loom", "numbers of Bernoulli", "poetry and opium"]
        store.apply([indexed("essay", version(1), texts)])

        hits = store.search(asked("punched cards drive the loom"))

        assert hits[0].payload.text == "punched cards drive the loom"
        assert hits[0].similarity == pytest.approx(1.0, abs=1e-5)
        assert np.array_equal(hits[0].vector, EMBEDDER.embed_query(texts[0]))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_a_rare_word_finds_its_text_where_the_meaning_does_not(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["zyzzyva", *(f"plain {number}" for number in range(200))])])
        query = replace(asked("zyzzyva", limit=5), vector=EMBEDDER.embed_query("plain 7"))

        assert "zyzzyva" in texts_of(store.search(query))

    @pytest.mark.parametrize("text", ["", "the of and", "\n"])
    def test_a_query_without_keywords_still_finds_by_meaning(self, store: FeatureStore, text: str) -> None:
        store.apply([indexed("essay", version(1), ["looms"])])

        assert texts_of(store.search(replace(asked("looms"), text=text))) == {"looms"}

    def test_hits_are_limited(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), [f"text {number}" for number in range(10)])])
        store.apply([indexed("main", version(1), [f"code {number}" for number in range(10)], CODE)])

        assert len(store.search(asked("text", limit=7))) == 7

    def test_an_empty_store_finds_nothing(self, store: FeatureStore) -> None:
        assert store.search(asked("anything")) == []

    @pytest.mark.parametrize(
        ("narrowed", "found"),
        [
            (replace(asked("text"), types=(DocumentType.POST,)), {"post"}),
            (replace(asked("text"), types=(DocumentType.POST, DocumentType.CODE)), {"post", "code"}),
            (replace(asked("text"), types=()), set()),
            (replace(asked("text"), authors=frozenset({"grace"})), {"other"}),
            (replace(asked("text"), authors=frozenset({"ada", "nobody"})), {"article", "post", "code"}),
            (replace(asked("text"), authors=frozenset()), set()),
            (replace(asked("text"), platform="git"), {"code"}),
            (replace(asked("text"), authors=frozenset({"grace"}), types=(DocumentType.POST,)), set()),
            (about("essay"), {"article"}),
            (asked("text"), {"article", "post", "code", "other"}),
        ],
    )
    def test_filters_narrow_a_search(self, store: FeatureStore, narrowed: FeatureQuery, found: set[str]) -> None:
        grace = BLOG.model_copy(update={"author": "grace"})
        store.apply(
            [
                indexed("essay", version(1), ["article"]),
                indexed("note", version(1), ["post"], POST),
                indexed("main", version(1), ["code"], CODE),
                indexed("guest", version(1), ["other"], grace),
            ]
        )

        assert texts_of(store.search(narrowed)) == found

    def test_hits_that_do_not_count_make_room_for_others(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["cards and some looms"])])
        unseen, _ = sliced(indexed("copy", version(1), [f"cards cards {number}" for number in range(9)]), 9)
        store.apply([unseen])

        assert texts_of(store.search(asked("cards cards", limit=3))) == {"cards and some looms"}


class InventoryContract:
    """What the flow, the audit and the status page read."""

    def test_vectors_are_known_by_their_text_in_force_or_not(self, store: FeatureStore) -> None:
        unseen, _ = sliced(indexed("essay", version(2), ["b", "c"]), 2)
        store.apply([indexed("essay", version(1), ["a", "b"]), indexed("other", version(1), ["d"])])
        store.apply([unseen])

        both = store.vectors_of([document_id_of("essay"), document_id_of("other")])

        vectors = both[document_id_of("essay")]
        assert set(both[document_id_of("other")]) == {text_hash_of("d")}
        assert set(vectors) == {text_hash_of(text) for text in "abc"}
        assert np.array_equal(vectors[text_hash_of("c")], EMBEDDER.embed_query("c"))

    def test_a_document_without_chunks_has_no_vectors(self, store: FeatureStore) -> None:
        assert dict(store.vectors_of([document_id_of("unknown")])) == {document_id_of("unknown"): {}}

    def test_records_that_do_not_exist_are_left_out(self, store: FeatureStore) -> None:
        store.apply([deleted("gone", version(1))])

        found = store.records([document_id_of("gone"), document_id_of("unknown")])

        assert set(found) == {document_id_of("gone")}
        assert store.records([]) == {}

    def test_records_are_found_in_id_order_by_status_and_author(self, store: FeatureStore) -> None:
        grace = BLOG.model_copy(update={"author": "grace"})
        changes = [indexed(f"essay {n}", version(1), [], grace if n % 2 else BLOG) for n in range(600)]
        store.apply([*changes, deleted("gone", version(1))])

        everything = [record.document_id for record in store.find_records(with_text=False)]

        assert everything == sorted(change.record.document_id for change in (*changes, deleted("gone", version(1))))
        assert [record.status for record in store.find_records(status=RecordStatus.DELETED)] == ["deleted"]
        assert sum(1 for _ in store.find_records(status=RecordStatus.INDEXED, author="grace")) == 300
        assert store.count_records(RecordStatus.INDEXED, frozenset({"grace", "nobody"})) == 300
        assert store.count_records(RecordStatus.INDEXED, frozenset()) == 0

    def test_chunks_are_counted_by_author(self, store: FeatureStore) -> None:
        grace = BLOG.model_copy(update={"author": "grace"})
        store.apply([indexed("essay", version(1), ["a", "b"]), indexed("guest", version(1), ["c"], grace)])

        assert (store.count_chunks(), store.count_chunks(frozenset({"grace"}))) == (3, 1)

    def test_a_record_without_its_text_is_otherwise_whole(self, store: FeatureStore) -> None:
        change = indexed("essay", version(1), ["a"])
        store.apply([change])

        (record,) = store.find_records(with_text=False)

        assert record == change.record.model_copy(update={"text": None})

    def test_iterating_goes_on_while_others_write(self, store: FeatureStore) -> None:
        names = [f"essay {number}" for number in range(300)]
        store.apply([indexed(name, version(1), [name]) for name in names])
        chunks, records = store.chunks(), store.find_records()
        begun = [next(chunks).id], [next(records).document_id]

        store.apply([deleted(name, version(2)) for name in names[::2]])

        for ids, rest in zip(begun, ([c.id for c in chunks], [r.document_id for r in records]), strict=True):
            ids.extend(rest)
            assert len(ids) == len(set(ids)) >= 150

    def test_chunks_are_marked_with_what_an_audit_compares(self, store: FeatureStore) -> None:
        essay, main = indexed("essay", version(1), ["a", "b"]), indexed("main", version(2), ["c"], CODE)
        unseen, _ = sliced(indexed("essay", version(3), ["d"]), 1)
        store.apply([essay, main, indexed("other", version(1), ["e"])])
        store.apply([unseen])

        marks = list(store.chunk_marks(ids_of(["essay", "main"])))

        expected = [*essay.chunks, *main.chunks, *unseen.chunks]
        assert {mark.id: (mark.document_id, mark.version, mark.revision) for mark in marks} == {
            chunk.id: (chunk.payload.document_id, chunk.payload.version, chunk.payload.revision) for chunk in expected
        }
        assert len(list(store.chunk_marks())) == 5
        assert list(store.chunk_marks(ids_of(["unknown"]))) == list(store.chunk_marks([])) == []

    def test_chunks_removed_for_the_audit_are_not_newer_than_it_saw(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["old"]), indexed("main", version(3), ["new"], CODE)])
        ids = [chunk.id for chunk in store.chunks()]

        store.remove_chunks(ids, up_to=version(2))

        assert [chunk.payload.text for chunk in store.chunks()] == ["new"]

    def test_old_tombstones_are_forgotten(self, store: FeatureStore) -> None:
        store.apply([deleted("long ago", version(1)), deleted("lately", version(2)), indexed("kept", version(1), [])])

        assert store.forget_tombstones(version(2)) == 1

        assert {record.document_id for record in store.find_records()} == set(ids_of(["lately", "kept"]))

    def test_a_store_is_empty_until_its_first_record(self, store: FeatureStore) -> None:
        assert store.is_empty()

        store.apply([deleted("gone", version(1))])

        assert not store.is_empty()

    def test_a_store_that_lost_every_chunk_is_empty(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["a", "b"])])
        assert not store.is_empty()

        store.remove_chunks([chunk.id for chunk in store.chunks()], up_to=version(1))

        assert store.is_empty()

    def test_flush_and_optimize_change_nothing_that_a_reader_sees(self, store: FeatureStore) -> None:
        store.apply([indexed("essay", version(1), ["a", "b"])])

        store.flush()
        store.optimize()

        assert seen(store, "essay") == {"a", "b"}
        assert store.count_chunks() == 2


class FeatureStoreContract(EpochContract, SliceContract, PurgeContract, SearchContract, InventoryContract):
    """All of it."""


def ids_of(names: Sequence[str]) -> list[str]:
    return [document_id_of(name) for name in names]
