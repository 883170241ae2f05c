"""Features in memory: the real store over an engine that keeps its points in dictionaries."""

from collections.abc import Callable, Sequence

import numpy as np

from twin_contracts.events import Version
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.features.engine import (
    Alias,
    Among,
    Before,
    Delete,
    HasId,
    HybridQuery,
    Operation,
    Other,
    Point,
    PointEngine,
    Scored,
    Select,
    Upsert,
    UpTo,
    Where,
)
from twin_platform.features.port import Vector
from twin_platform.features.store import PointFeatureStore

_RRF_K = 60


class InMemoryPointEngine:
    """PointEngine without files: exact search, keywords ranked by how many words they share with the query."""

    def __init__(self) -> None:
        self.points: dict[Alias, dict[str, Point]] = {alias: {} for alias in Alias}

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:
        stored = dict(self.points[alias])
        for operation in operations:
            match operation:
                case Upsert(points, condition):
                    allowed = [p for p in points if p.id not in stored or _holds(condition, stored[p.id])]
                    stored |= {point.id: point for point in allowed}
                case Delete(where):
                    stored = {point.id: point for point in stored.values() if not _holds(where, point)}
        self.points[alias] = stored  # readers in other threads keep iterating over the one they have

    def retrieve(self, alias: Alias, ids: Sequence[str], select: Select) -> list[Point]:
        stored = self.points[alias]
        return [_selected(stored[one], select) for one in ids if one in stored]

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        found = [point for point in self.points[alias].values() if _holds(query.where, point)]
        words = set(query.keywords.lower().split())
        similarity = {point.id: float(np.dot(_vector(point), query.vector)) for point in found}
        shared = {point.id: len(words & set(point.keywords.lower().split())) for point in found}
        dense = sorted(found, key=lambda point: -similarity[point.id])
        keywords = sorted((point for point in found if shared[point.id]), key=lambda point: -shared[point.id])
        scores: dict[str, float] = {}
        for ranking in (dense, keywords):
            for rank, point in enumerate(ranking[: query.candidates]):
                scores[point.id] = scores.get(point.id, 0.0) + 1 / (_RRF_K + rank)
        best = sorted((point for point in found if point.id in scores), key=lambda point: -scores[point.id])
        return [Scored(p.id, p.payload, _vector(p), scores[p.id]) for p in best[: query.limit]]

    def scroll(
        self, alias: Alias, where: Where, select: Select, offset: str | None, limit: int
    ) -> tuple[list[Point], str | None]:
        found = sorted((p for p in self.points[alias].values() if _holds(where, p)), key=lambda point: point.id)
        found = [point for point in found if offset is None or point.id >= offset]
        following = found[limit].id if len(found) > limit else None
        return [_selected(point, select) for point in found[:limit]], following

    def count(self, alias: Alias, where: Where) -> int:
        return sum(_holds(where, point) for point in self.points[alias].values())

    def flush(self) -> None:
        pass

    def optimize(self) -> None:
        pass

    def close(self) -> None:
        pass


class InMemoryFeatureStore(PointFeatureStore):
    """FeatureStore in memory, with everything that the real one promises but durability."""

    def __init__(self, partitions: int = DEFAULT_PARTITIONS) -> None:
        self.engine = InMemoryPointEngine()
        super().__init__(self.engine, partitions)


class InterruptedEngine:
    """Passes everything on, one point or deletion at a time; once, after so many writes, it calls `interruption`.

    One that raises is a kill; one that lets somebody else write is a process that was stopped meanwhile.
    """

    def __init__(self, engine: PointEngine, after: int, interruption: Callable[[], None]) -> None:
        self._engine = engine
        self._interruption = interruption
        self.left = after
        """Writes until the interruption; negative once it has been."""

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:
        for operation in operations:
            for one in single_writes(operation):
                self.left -= 1
                if self.left == -1:
                    self._interruption()
                self._engine.write(alias, [one])

    def retrieve(self, alias: Alias, ids: Sequence[str], select: Select) -> list[Point]:
        return self._engine.retrieve(alias, ids, select)

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        return self._engine.query(alias, query)

    def scroll(
        self, alias: Alias, where: Where, select: Select, offset: str | None, limit: int
    ) -> tuple[list[Point], str | None]:
        return self._engine.scroll(alias, where, select, offset, limit)

    def count(self, alias: Alias, where: Where) -> int:
        return self._engine.count(alias, where)

    def flush(self) -> None:
        self._engine.flush()

    def optimize(self) -> None:
        self._engine.optimize()

    def close(self) -> None:
        self._engine.close()


def single_writes(operation: Operation) -> list[Operation]:
    """Return the least writes that a kill can fall between."""
    match operation:
        case Upsert(points, condition):
            return [Upsert((point,), condition) for point in points]
        case Delete():
            return [operation]


def _holds(where: Where, point: Point) -> bool:
    return all(_holds_one(condition, point) for condition in where)


def _holds_one(condition: Among | Other | UpTo | Before | HasId, point: Point) -> bool:
    match condition:
        case Among(field, values):
            return _value(point, field) in values
        case Other(field, value):
            return _value(point, field) != value
        case UpTo(version):
            return _version(point) <= version
        case Before(version):
            return _version(point) < version
        case HasId(ids):
            return point.id in ids


def _value(point: Point, field: str) -> object:
    value: object = point.payload
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _version(point: Point) -> Version:
    return Version.model_validate(point.payload["version"])


def _vector(point: Point) -> Vector:
    assert point.vector is not None, f"chunk {point.id} was written without a vector"
    return point.vector


def _selected(point: Point, select: Select) -> Point:
    fields = point.payload if select.fields is None else {f: v for f, v in point.payload.items() if f in select.fields}
    return Point(point.id, fields, point.vector if select.vector else None)
