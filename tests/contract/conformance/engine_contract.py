"""What every point engine does. Bound to an adapter by an `engine` fixture, empty and for vectors of 64 dimensions."""

from collections.abc import Sequence

import numpy as np
import pytest

from fakes.feature_samples import EMBEDDER, version
from twin_contracts.base import uuid_of
from twin_contracts.events import Version
from twin_platform.features.engine import (
    Alias,
    Among,
    Before,
    Delete,
    HasId,
    HybridQuery,
    Other,
    Point,
    PointEngine,
    Select,
    Upsert,
    UpTo,
    Where,
)

CHUNKS = Alias.CHUNKS_PROSE
VERSIONS = [version(1), version(1, 1), version(1, 2**53 - 1), version(2), version(2**32 - 1, 7)]
MIDDLE = VERSIONS[2]


def point_id(name: str) -> str:
    return uuid_of("test", name)


def point(name: str, at: Version, text: str = "looms", document: str = "essay") -> Point:
    payload = {"version": at.model_dump(), "text": text, "document_id": document, "metadata": {"author": "ada"}}
    return Point(point_id(name), payload, EMBEDDER.embed_query(text), text)


class PointEngineContract:
    """Conditions are honoured exactly, writes are seen at once, in order."""

    @pytest.mark.parametrize("condition", [UpTo(MIDDLE), Before(MIDDLE)])
    def test_an_upsert_replaces_whole_points_where_its_condition_holds(
        self, engine: PointEngine, condition: UpTo | Before
    ) -> None:
        stored = [point(str(at), at, "old") for at in VERSIONS]
        engine.write(CHUNKS, [Upsert(tuple(stored), ())])

        engine.write(CHUNKS, [Upsert(tuple(point(str(at), MIDDLE, "new") for at in VERSIONS), (condition,))])

        older = [at for at in VERSIONS if at < MIDDLE or (at == MIDDLE and isinstance(condition, UpTo))]
        assert texts(engine, (Among("text", ("new",)),)) == ["new"] * len(older)
        assert ids(engine, (Among("text", ("new",)),)) == sorted(point_id(str(at)) for at in older)

    def test_an_upsert_inserts_what_is_absent_whatever_its_condition_says(self, engine: PointEngine) -> None:
        engine.write(CHUNKS, [Upsert((point("a", version(5)),), (Before(version(1)),))])

        assert ids(engine) == [point_id("a")]

    @pytest.mark.parametrize(
        ("where", "gone"),
        [
            ((), "abc"),
            ((UpTo(version(2)),), "ab"),
            ((Before(version(2)),), "a"),
            ((Among("document_id", ("essay", "poem")),), "ab"),
            ((Among("document_id", ("essay", "poem")), UpTo(version(1))), "a"),
            ((Other("document_id", "essay"),), "bc"),
            ((Other("revision", "absent"),), "abc"),
            ((Among("revision", ("absent",)),), ""),
            ((Among("metadata.author", ("ada",)), Other("text", "looms")), "c"),
            ((HasId((point_id("a"), point_id("c"), point_id("nobody"))),), "ac"),
            ((HasId((point_id("a"), point_id("c"))), UpTo(version(2))), "a"),
            ((HasId(()),), ""),
        ],
    )
    def test_what_holds_is_deleted_and_nothing_else(self, engine: PointEngine, where: Where, gone: str) -> None:
        points = (
            point("a", version(1), document="essay"),
            point("b", version(2), document="poem"),
            point("c", version(3), "cards", "letter"),
        )
        engine.write(CHUNKS, [Upsert(points, ())])
        held = engine.count(CHUNKS, where)

        engine.write(CHUNKS, [Delete(where)])

        assert ids(engine) == sorted(point_id(name) for name in "abc" if name not in gone)
        assert held == len(gone)

    def test_operations_are_carried_out_in_order(self, engine: PointEngine) -> None:
        old, new = Upsert((point("a", version(1), "old"),), ()), Upsert((point("a", version(2), "new"),), ())

        engine.write(CHUNKS, [old, Delete((Among("text", ("old",)),)), new, old])

        assert texts(engine) == ["old"]

    def test_collections_are_apart(self, engine: PointEngine) -> None:
        engine.write(CHUNKS, [Upsert((point("a", version(1)),), ())])

        assert [engine.count(alias, ()) for alias in (Alias.CHUNKS_CODE, Alias.DOCUMENTS)] == [0, 0]

    def test_a_point_comes_back_as_it_was_or_as_much_of_it_as_is_asked_for(self, engine: PointEngine) -> None:
        written = point("a", version(1, 2**53 - 1), "naïve 数学")
        engine.write(CHUNKS, [Upsert((written,), ())])

        (whole,) = engine.retrieve(CHUNKS, [written.id, point_id("nobody")], Select(vector=True))
        (part,) = engine.retrieve(CHUNKS, [written.id], Select(fields=("text",)))
        (other,) = engine.retrieve(CHUNKS, [written.id], Select(fields=("version", "metadata", "absent")))

        assert whole.payload == written.payload
        assert np.array_equal(whole.vector, written.vector)  # type: ignore[arg-type]  # it is there
        assert (part.payload, part.vector) == ({"text": "naïve 数学"}, None)
        assert other.payload == {name: written.payload[name] for name in ("version", "metadata")}
        assert engine.retrieve(CHUNKS, [], Select()) == []

    def test_pages_are_in_id_order_and_miss_nothing(self, engine: PointEngine) -> None:
        engine.write(CHUNKS, [Upsert(tuple(point(str(n), version(n)) for n in range(25)), ())])
        found: list[str] = []
        offset: str | None = None
        while True:
            page, offset = engine.scroll(CHUNKS, (UpTo(version(19)),), Select(fields=()), offset, 7)
            found += [one.id for one in page]
            if offset is None:
                break

        assert found == sorted(point_id(str(n)) for n in range(20))

    def test_a_query_finds_by_meaning_and_by_words_what_holds(self, engine: PointEngine) -> None:
        texts_of = {"a": "punched cards drive the loom", "b": "numbers of bernoulli", "c": "poetry"}
        points = tuple(point(name, version(1), text, name) for name, text in texts_of.items())
        engine.write(CHUNKS, [Upsert(points, ())])
        vector = EMBEDDER.embed_query(texts_of["a"])

        best = engine.query(CHUNKS, HybridQuery(vector, "bernoulli", (), candidates=10, limit=2))
        narrowed = engine.query(CHUNKS, HybridQuery(vector, "loom", (Among("document_id", ("c",)),), 10, 2))

        assert {one.id for one in best} == {point_id("a"), point_id("b")}
        assert [one.id for one in narrowed] == [point_id("c")]
        assert best[0].score >= best[1].score


def ids(engine: PointEngine, where: Where = ()) -> list[str]:
    return [one.id for one in stored(engine, where)]


def texts(engine: PointEngine, where: Where = ()) -> list[str]:
    return [str(one.payload["text"]) for one in stored(engine, where)]


def stored(engine: PointEngine, where: Where) -> Sequence[Point]:
    return engine.scroll(CHUNKS, where, Select(), None, 100)[0]
