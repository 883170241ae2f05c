"""Whatever falls between two writes of an epoch: no reader sees a mixture, and repeating it ends in the same state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.feature_samples import (
    BLOG,
    CODE,
    about,
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
from fakes.features import InMemoryPointEngine, InterruptedEngine
from twin_contracts.documents import document_id_of
from twin_contracts.records import RecordStatus
from twin_platform.features.engine import Alias, HybridQuery, JsonObject, PointEngine, Scored
from twin_platform.features.port import ApplyDocument, ApplyPurge, FeatureChange, FeatureStore
from twin_platform.features.store import PointFeatureStore

PARTITIONS = 2
UNSEEN, MET = names_in_partition(1, PARTITIONS, 2)
FIRST: tuple[ApplyDocument, ...] = (
    indexed("grows", version(1), ["a", "b"]),
    indexed("moves", version(1), ["c", "d"], BLOG),
    indexed("goes", version(1), ["e", "f"]),
    indexed("refused", version(1), ["g", "h"]),
    indexed("sliced", version(1), ["i"]),
    indexed(UNSEEN, version(1), ["j", "k"]),
    indexed(MET, version(1), ["l"]),
)
BEGINNING, _ = sliced(indexed("sliced", version(3), ["i", "m", "n"]), 2)
SECOND: tuple[FeatureChange, ...] = (
    indexed("grows", version(3), ["a", "x", "y"]),
    indexed("moves", version(3), ["c", "z"], CODE),
    deleted("goes", version(3)),
    withdrawn("refused", version(3), RecordStatus.REJECTED),
    BEGINNING,
    indexed("fresh", version(3), ["o", "p"]),
    indexed(MET, version(2), ["l", "q"]),
    ApplyPurge(1, version(2)),
)
"""One change of every kind."""
THIRD: tuple[ApplyDocument, ...] = (
    indexed("grows", version(4), ["a", "b"]),
    deleted("moves", version(4)),
    indexed("goes", version(4), ["e", "again"]),
    indexed("refused", version(4), ["g"]),
    indexed("sliced", version(4), ["i", "r"]),
    indexed("fresh", version(4), ["o"]),
    indexed(UNSEEN, version(4), ["j"]),
    withdrawn(MET, version(4), RecordStatus.PARKED),
)
NAMES = ("grows", "moves", "goes", "refused", "sliced", "fresh", "twice", UNSEEN, MET)
NAME_OF = {document_id_of(name): name for name in NAMES}


class Killed(BaseException):
    """Ends the writer where it stands."""


def kill() -> None:
    raise Killed


def store_over(engine: PointEngine) -> PointFeatureStore:
    return PointFeatureStore(engine, PARTITIONS)


def filled(*epochs: Sequence[FeatureChange]) -> InMemoryPointEngine:
    engine = InMemoryPointEngine()
    for epoch in epochs:
        store_over(engine).apply(epoch)
    return engine


def view(engine: PointEngine) -> Mapping[str, set[str]]:
    """Return what a reader sees of every document."""
    return {name: seen(store_over(engine), name) for name in NAMES}


def contents(engine: InMemoryPointEngine) -> Mapping[Alias, Mapping[str, JsonObject]]:
    return {alias: {point.id: point.payload for point in engine.points[alias].values()} for alias in Alias}


def interrupted_everywhere(interruption: Callable[[InMemoryPointEngine], None]) -> Iterator[InMemoryPointEngine]:
    """Yield what is stored after the second epoch was interrupted, once for each place between two of its writes."""
    for writes in count():
        engine = filled(FIRST)
        writer = InterruptedEngine(engine, writes, lambda engine=engine: interruption(engine))  # type: ignore[misc]
        with suppress(Killed):
            store_over(writer).apply(SECOND)
        if writer.left >= 0:
            assert writes > 20, "the epoch has fewer writes than its changes need"
            return
        yield engine


def test_a_kill_between_any_two_writes_shows_no_mixture() -> None:
    before, after = view(filled(FIRST)), view(filled(FIRST, SECOND))

    for engine in interrupted_everywhere(lambda _: kill()):
        found = view(engine)

        assert all(found[name] in (before[name], after[name]) for name in NAMES)
        indexed_records = store_over(engine).find_records(status=RecordStatus.INDEXED)
        assert all(len(found[NAME_OF[record.document_id]]) == record.chunks for record in indexed_records)


def test_repeating_a_killed_epoch_ends_in_exactly_the_same_points() -> None:
    expected = contents(filled(FIRST, SECOND))

    for engine in interrupted_everywhere(lambda _: kill()):
        store_over(engine).apply(SECOND)

        assert contents(engine) == expected


def test_a_writer_that_was_stopped_and_goes_on_shows_nothing_of_its_own() -> None:
    newest = filled(FIRST, SECOND, THIRD)

    for engine in interrupted_everywhere(lambda engine: store_over(engine).apply(THIRD)):
        assert view(engine) == view(newest)
        assert contents(engine)[Alias.DOCUMENTS] == contents(newest)[Alias.DOCUMENTS]


def test_a_parked_revision_is_not_seen_while_its_chunks_are_still_there() -> None:
    change = indexed("goes", version(1), ["e", "f"])
    parked = change.record.model_copy(
        update={"version": version(2), "status": RecordStatus.PARKED, "chunks": 0, "text": None}
    )
    engine = filled([change])

    with suppress(Killed):
        store_over(InterruptedEngine(engine, 1, kill)).apply([ApplyDocument(parked)])

    assert stored(store_over(engine), "goes") == ["e", "f"]
    assert seen(store_over(engine), "goes") == set()


def test_of_two_outcomes_of_one_version_the_first_stays_whole() -> None:
    old, new = (indexed("twice", version(1), texts) for texts in (["a", "b"], ["c", "d", "e"]))
    refused = withdrawn("twice", version(1), RecordStatus.REJECTED)
    outcomes = {"old": old, "new": new, "refused": refused}
    texts = {"old": {"a", "b"}, "new": {"c", "d", "e"}, "refused": set()}

    for first, other in permutations(outcomes, 2):
        for writes in range(9):
            engine = filled()
            meanwhile = partial(store_over(engine).apply, [outcomes[other]])
            store_over(InterruptedEngine(engine, writes, meanwhile)).apply([outcomes[first]])

            assert view(engine)["twice"] in (texts[first], texts[other])


def test_a_clean_up_that_was_cut_short_is_done_by_whatever_comes_next() -> None:
    engine = filled([indexed("grows", version(1), ["a", "b"])])
    with suppress(Killed):
        store_over(InterruptedEngine(engine, 2, kill)).apply([indexed("grows", version(2), ["c"])])
    left = stored(store_over(engine), "grows")

    store_over(engine).apply([indexed("grows", version(2), ["another outcome"])])

    assert (left, stored(store_over(engine), "grows")) == (["a", "b", "c"], ["c"])


def test_a_purge_spares_what_arrives_at_its_version_after_it_looked() -> None:
    engine = filled([indexed(UNSEEN, version(1), ["j"])])
    met_late = [indexed(UNSEEN, version(2), ["j", "k"])]

    store_over(InterruptedEngine(engine, 0, lambda: store_over(engine).apply(met_late))).apply(
        [ApplyPurge(1, version(2))]
    )

    assert seen(store_over(engine), UNSEEN) == {"j", "k"}


def test_a_chunk_replaced_between_search_and_record_check_is_not_returned() -> None:
    class OvertakenEngine(InterruptedEngine):
        def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
            found = super().query(alias, query)
            store_over(engine).apply([indexed("grows", version(2), ["c", "d"])])
            return found

    engine = filled([indexed("grows", version(1), ["a", "b"])])

    hits = store_over(OvertakenEngine(engine, 0, kill)).search(about("grows"))

    assert texts_of(hits) == {"c", "d"}


VERSIONS = 4
Kind = RecordStatus | tuple[frozenset[str], bool]
"""Deleted, rejected, or indexed with these texts, as code or not."""
kinds: st.SearchStrategy[Kind] = st.one_of(
    st.sampled_from([RecordStatus.DELETED, RecordStatus.REJECTED]),
    st.tuples(st.frozensets(st.sampled_from("abcd"), min_size=1), st.booleans()),
)
histories = st.lists(kinds, min_size=VERSIONS, max_size=VERSIONS)
deliveries = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, VERSIONS - 1), st.booleans()), min_size=2, max_size=2),
        st.integers(0, 12),
    ),
    max_size=8,
)
"""For each epoch: a version of either document, as a whole or its first slice; and the write before which it dies."""


def change_of(name: str, number: int, kind: Kind) -> ApplyDocument:
    at = version(1, number)
    if isinstance(kind, RecordStatus):
        return withdrawn(name, at, kind)
    texts, is_code = kind
    return indexed(name, at, sorted(texts), CODE if is_code else BLOG)


def assert_seen_is_what_the_record_says(store: FeatureStore, name: str, changes: Sequence[ApplyDocument]) -> None:
    record = store.records([document_id_of(name)]).get(document_id_of(name))
    applied = next((change for change in changes if change.record == record), None)
    assert seen(store, name) == {chunk.payload.text for chunk in (applied.chunks if applied else ())}


@settings(max_examples=60, deadline=None)
@given(st.tuples(histories, histories), deliveries, st.permutations(range(VERSIONS)))
def test_any_interleaving_of_versions_and_kills_ends_in_the_newest(
    kinds_of: tuple[list[Kind], list[Kind]],
    epochs: list[tuple[list[tuple[int, bool]], int]],
    last_order: list[int],
) -> None:
    changes = {
        name: [change_of(name, number, kind) for number, kind in enumerate(history)]
        for name, history in zip(("x", "y"), kinds_of, strict=True)
    }
    engine = InMemoryPointEngine()
    store = store_over(engine)
    for picks, writes in epochs:
        epoch: list[FeatureChange] = []
        for name, (number, is_whole) in zip(changes, picks, strict=True):
            whole = changes[name][number]
            epoch.append(whole if is_whole else sliced(whole, 1)[0])
        with suppress(Killed):
            store_over(InterruptedEngine(engine, writes, kill)).apply(epoch)
        for name, history in changes.items():
            assert_seen_is_what_the_record_says(store, name, history)

    for number in last_order:
        store.apply([history[number] for history in changes.values()])

    for name, history in changes.items():
        assert store.records([document_id_of(name)]) == {document_id_of(name): history[-1].record}
        assert stored(store, name) == [chunk.payload.text for chunk in history[-1].chunks]
        assert_seen_is_what_the_record_says(store, name, history)
