"""One collection of the stand-in: requests of the REST API, carried out by Qdrant Edge."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from pydantic import BaseModel
from qdrant_client import models

Json = dict[str, Any]
BAD_REQUEST, NOT_FOUND, CONFLICT, TOO_LARGE, UNPROCESSABLE = 400, 404, 409, 413, 422
WRITTEN_BEFORE_OPTIMIZE = 20_000
"""The server optimizes by itself; so many points are written in between here."""
_LAST_INTEGER = 2**64


class Refusal(Exception):
    """An answer with a 4xx status: what the real server refuses, or what this one does not know."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)


class Collection:
    """A folder with Edge's files and `config.json`: what created it, and its indexes. Any number of threads."""

    def __init__(self, folder: Path, created: models.CreateCollection | None = None) -> None:
        self._folder = folder
        self._file = folder / "config.json"
        if created is None:
            held = _Held.model_validate_json(self._file.read_bytes())
            self._created, self.indexes = held.created, held.indexes
            self._shard = edge.EdgeShard.load(str(folder / "edge"))
        else:
            shutil.rmtree(folder, ignore_errors=True)  # left by a creation that was cut short
            self._created, self.indexes = created, {}
            folder.mkdir(parents=True)
            self._shard = edge.EdgeShard.create(str(folder / "edge"), _edge_config(created))
            self._keep()
        self._written = 0
        self._operations = 0

    def info(self) -> Json:
        """Return what `GET /collections/{name}` tells."""
        found = self._shard.info()
        return {
            "status": "green",
            "optimizer_status": "ok",
            "points_count": found.points_count,
            "indexed_vectors_count": found.indexed_vectors_count,
            "segments_count": found.segments_count,
            "config": {
                "params": self._created.model_dump(mode="json", include={"vectors", "sparse_vectors"}),
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
                "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5},
            },
            "payload_schema": {field: {"data_type": kind, "points": 0} for field, kind in self.indexes.items()},
        }

    def index(self, request: models.CreateFieldIndex) -> Json:
        """Index a field of the payload; again is no error."""
        schema = request.field_schema
        if isinstance(schema, models.KeywordIndexParams):
            _only(schema, "type", "is_tenant")
            schema = models.PayloadSchemaType.KEYWORD
        kinds = {
            models.PayloadSchemaType.KEYWORD: edge.PayloadSchemaType.Keyword,
            models.PayloadSchemaType.INTEGER: edge.PayloadSchemaType.Integer,
        }
        if not isinstance(schema, models.PayloadSchemaType) or schema not in kinds:
            raise Refusal(BAD_REQUEST, f"unknown index: {schema!r}")
        self._shard.update(edge.UpdateOperation.create_field_index(request.field_name, kinds[schema]))
        self.indexes[request.field_name] = schema.value
        self._keep()
        return self._completed()

    def batch(self, request: models.UpdateOperations) -> list[Json]:
        """Carry out upserts and deletions in order; checks each before it is carried out, as the server does."""
        done = []
        for operation in request.operations:
            match operation:
                case models.UpsertOperation(upsert=models.PointsList() as upsert):
                    _only(upsert, "points", "update_filter")
                    points = [self._point(point) for point in upsert.points]
                    update = edge.UpdateOperation.upsert_points(points, condition=_filter(upsert.update_filter))
                    self._written += len(points)
                case models.DeleteOperation(delete=models.FilterSelector(filter=where, shard_key=None)):
                    update = edge.UpdateOperation.delete_points_by_filter(_filter(where) or edge.Filter())
                case _:
                    raise Refusal(BAD_REQUEST, f"unknown operation: {type(operation).__name__}")
            self._shard.update(update)
            done.append(self._completed())
        self._optimize_sometimes()
        return done

    def retrieve(self, request: models.PointRequest) -> list[Json]:
        """Return points by id."""
        _only(request, "ids", "with_payload", "with_vector")
        ids: list[int | UUID | str] = [_id(one) for one in request.ids]
        found = self._shard.retrieve(ids, _selector(request.with_payload), _selector(request.with_vector))
        return [_record(one) for one in found]

    def scroll(self, request: models.ScrollRequest) -> Json:
        """Return a page in id order."""
        _only(request, "offset", "limit", "filter", "with_payload", "with_vector")
        asked = edge.ScrollRequest(
            None if request.offset is None else _id(request.offset),
            _positive(request.limit),
            _filter(request.filter),
            _selector(request.with_payload),
            _selector(request.with_vector),
        )
        found, following = self._shard.scroll(asked)
        offset = following if following is None or isinstance(following, int) else str(following)
        return {"points": [_record(one) for one in found], "next_page_offset": offset}

    def count(self, request: models.CountRequest) -> Json:
        """Count exactly."""
        _only(request, "filter", "exact")
        return {"count": self._shard.count(edge.CountRequest(exact=True, filter=_filter(request.filter)))}

    def query(self, request: models.QueryRequest) -> Json:
        """Answer a fusion by reciprocal rank of nearest-neighbour prefetches."""
        _only(request, "prefetch", "query", "limit", "with_payload", "with_vector")
        if not isinstance(request.query, models.RrfQuery) or not isinstance(request.prefetch, list):
            raise Refusal(BAD_REQUEST, "only a fusion (rrf) of a list of prefetches is known")
        _only(request.query.rrf, "k")
        asked = edge.QueryRequest(
            limit=_positive(request.limit),
            query=edge.Fusion.Rrf(k=request.query.rrf.k or 2),  # type: ignore[arg-type]  # the stub forgets it
            prefetches=[self._prefetch(one) for one in request.prefetch],
            with_payload=_selector(request.with_payload),
            with_vector=_selector(request.with_vector),
        )
        return {"points": [_record(one) | {"score": one.score, "version": 0} for one in self._shard.query(asked)]}

    def close(self) -> None:
        """Write everything to disk and let go of the files."""
        self._shard.close()

    def remove(self) -> None:
        """Close and delete."""
        self._shard.close()
        shutil.rmtree(self._folder)

    def _point(self, point: models.PointStruct) -> edge.Point:
        if not isinstance(point.vector, dict):
            raise Refusal(BAD_REQUEST, "Wrong input: Not existing vector name error: ")
        vectors = {name: self._vector(name, vector) for name, vector in point.vector.items()}
        return edge.Point(_id(point.id), vectors, point.payload or {})

    def _vector(self, name: str, vector: object) -> "edge.NamedVector":
        dense = self._created.vectors or {}
        if isinstance(vector, models.SparseVector) and name in (self._created.sparse_vectors or {}):
            if len(vector.indices) != len(vector.values):
                raise Refusal(UNPROCESSABLE, "Validation error: must be the same length as indices")
            if len(set(vector.indices)) != len(vector.indices):
                raise Refusal(UNPROCESSABLE, "Validation error: must be unique")
            return edge.SparseVector(vector.indices, vector.values)
        if not isinstance(vector, list) or not isinstance(dense, dict) or name not in dense:
            raise Refusal(BAD_REQUEST, f"Wrong input: Not existing vector name error: {name}")
        if len(vector) != dense[name].size:
            why = f"Vector dimension error: expected dim: {dense[name].size}, got {len(vector)}"
            raise Refusal(BAD_REQUEST, f"Wrong input: {why}")
        return vector

    def _prefetch(self, prefetch: models.Prefetch) -> edge.Prefetch:
        _only(prefetch, "query", "using", "filter", "limit")
        if not isinstance(prefetch.query, list | models.SparseVector) or prefetch.using is None:
            raise Refusal(BAD_REQUEST, "only a nearest vector, dense or sparse, of a name is known")
        nearest = edge.Query.Nearest(self._vector(prefetch.using, prefetch.query), using=prefetch.using)
        return edge.Prefetch(_positive(prefetch.limit), nearest, filter=_filter(prefetch.filter))

    def _completed(self) -> Json:
        self._operations += 1
        return {"operation_id": self._operations, "status": "completed"}

    def _keep(self) -> None:
        held = _Held(created=self._created, indexes=self.indexes)
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(held.model_dump_json(exclude_none=True))
        unfinished.replace(self._file)

    def _optimize_sometimes(self) -> None:
        if self._written > WRITTEN_BEFORE_OPTIMIZE:
            self._written = 0
            self._shard.optimize()
            self._shard.flush()


class _Held(BaseModel):
    created: models.CreateCollection
    indexes: dict[str, str]


def _edge_config(created: models.CreateCollection) -> edge.EdgeConfig:
    _only(created, "vectors", "sparse_vectors", "optimizers_config", "strict_mode_config")
    if created.strict_mode_config is None or created.strict_mode_config.enabled is not False:
        raise Refusal(BAD_REQUEST, "only collections without the strict mode are known")
    if not isinstance(created.vectors, dict):
        raise Refusal(BAD_REQUEST, "only named vectors are known")
    distances = {models.Distance.DOT: edge.Distance.Dot}
    vectors = {}
    for name, parameters in created.vectors.items():
        _only(parameters, "size", "distance")
        if parameters.size < 1 or parameters.distance not in distances:
            raise Refusal(UNPROCESSABLE, f"Validation error in JSON body: {parameters!r}")
        vectors[name] = edge.EdgeVectorParams(size=parameters.size, distance=distances[parameters.distance])
    sparse = {}
    for name, wanted in (created.sparse_vectors or {}).items():
        _only(wanted, "modifier")
        modifier = edge.Modifier.Idf if wanted.modifier is models.Modifier.IDF else None
        sparse[name] = edge.EdgeSparseVectorParams(modifier=modifier)
    threshold = None
    if created.optimizers_config is not None:
        _only(created.optimizers_config, "indexing_threshold")
        threshold = created.optimizers_config.indexing_threshold
    optimizers = edge.EdgeOptimizersConfig(indexing_threshold=threshold)
    return edge.EdgeConfig(vectors=vectors or None, sparse_vectors=sparse, optimizers=optimizers)


def _filter(where: models.Filter | None) -> edge.Filter | None:
    if where is None:
        return None
    _only(where, "must", "must_not", "should")
    must, must_not, should = (
        [_condition(one) for one in _listed(side)] for side in (where.must, where.must_not, where.should)
    )
    return edge.Filter(must=must, must_not=must_not, should=should or None)


def _listed(conditions: object) -> Sequence[Any]:
    return conditions if isinstance(conditions, list) else [] if conditions is None else [conditions]


def _condition(condition: object) -> "edge.ConditionType":
    match condition:
        case models.Filter():
            return _filter(condition) or edge.Filter()
        case models.HasIdCondition(has_id=ids):
            return edge.HasIdCondition({_id(one) for one in ids})
        case models.FieldCondition(key=key, match=models.MatchAny(any=list(values)), range=None):
            _only(condition, "key", "match")
            return edge.FieldCondition(key, match=edge.MatchAny([str(value) for value in values]))
        case models.FieldCondition(key=key, match=models.MatchValue(value=value), range=None):
            _only(condition, "key", "match")
            return edge.FieldCondition(key, match=edge.MatchValue(value))
        case models.FieldCondition(key=key, match=None, range=models.Range(lt=lt, gt=gt, gte=gte, lte=lte)):
            _only(condition, "key", "range")
            return edge.FieldCondition(key, range=edge.RangeFloat(lt=lt, gt=gt, gte=gte, lte=lte))
    raise Refusal(BAD_REQUEST, f"unknown condition: {condition!r}")


def _only(request: BaseModel, *known: str) -> None:
    """Refuse what the server may know and this does not: it must not be passed over."""
    told = {field for field in request.model_fields_set if getattr(request, field) is not None}
    if unknown := told.difference(known):
        raise Refusal(BAD_REQUEST, f"the stand-in knows no {', '.join(sorted(unknown))} of {type(request).__name__}")


def _id(point_id: int | str | UUID) -> int | str:
    if isinstance(point_id, int) and 0 <= point_id < _LAST_INTEGER:
        return point_id
    try:
        return str(UUID(str(point_id)))
    except ValueError:
        why = f"value {point_id} is not a valid point ID, valid values are either an unsigned integer or a UUID"
        raise Refusal(BAD_REQUEST, f"Format error in JSON body: {why}") from None


def _positive(limit: int | None) -> int:
    limit = 10 if limit is None else limit
    if limit < 1:
        raise Refusal(
            UNPROCESSABLE, f"Validation error in JSON body: [limit: value {limit} invalid, must be 1 or larger]"
        )
    return limit


def _selector(wanted: object) -> bool | list[str]:
    if wanted is None or isinstance(wanted, bool):
        return bool(wanted)
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        return [str(one) for one in wanted]
    raise Refusal(BAD_REQUEST, f"unknown selector: {wanted!r}")


def _record(found: edge.Record | edge.ScoredPoint) -> Json:
    record: Json = {"id": found.id if isinstance(found.id, int) else str(found.id), "payload": found.payload}
    return record | ({"vector": found.vector} if found.vector else {})
