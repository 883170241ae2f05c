"""Our operations and conditions as requests of Qdrant's."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from pydantic_core import to_json
from qdrant_client import models
from qdrant_edge import Bm25, SparseVector

from twin_contracts.events import Version
from twin_platform.features.engine import (
    DENSE,
    INCREMENT,
    KEYWORDS,
    SECONDS,
    Among,
    Before,
    Delete,
    HasId,
    Operation,
    Other,
    Point,
    Select,
    Upsert,
    UpTo,
    Where,
)
from twin_platform.features.port import Vector

MOST_OPERATIONS = 256
"""Points and deletions in one request."""
MOST_BYTES = 8 * 1024 * 1024
"""Of a request with more than one point: the server takes 32 MB, and a record may have a text of 8 MiB."""
_BYTES_PER_NUMBER = 24

_Piece = tuple[Operation, models.PointStruct | None]
"""One point of an upsert, or a deletion."""


def requests_of(operations: Sequence[Operation], bm25: Bm25) -> Iterator[list[models.UpdateOperation]]:
    """Yield the operations in order, as many in one request as it may hold."""
    pieces: list[_Piece] = []
    size = 0
    for operation in operations:
        for piece, piece_bytes in _pieces(operation, bm25):
            if pieces and (len(pieces) == MOST_OPERATIONS or size + piece_bytes > MOST_BYTES):
                yield _merged(pieces)
                pieces, size = [], 0
            pieces.append(piece)
            size += piece_bytes
    if pieces:
        yield _merged(pieces)


def filter_of(where: Where) -> models.Filter:
    """Return the condition; the empty one holds for every point."""
    must: list[models.Condition] = []
    must_not: list[models.Condition] = []
    for condition in where:
        match condition:
            case Among(field, values):
                must.append(models.FieldCondition(key=field, match=models.MatchAny(any=list(values))))
            case Other(field, value):
                must_not.append(models.FieldCondition(key=field, match=models.MatchValue(value=value)))
            case UpTo(version):
                must.append(_older(version, models.Range(lte=version.increment)))
            case Before(version):
                must.append(_older(version, models.Range(lt=version.increment)))
            case HasId(ids):
                must.append(models.HasIdCondition(has_id=list(ids)))
    return models.Filter(must=must, must_not=must_not)


def payload_of(select: Select) -> bool | list[str]:
    """Return what of the payload is asked for."""
    return True if select.fields is None else list(select.fields) or False


def point_of(record: models.Record) -> Point:
    """Return a stored point as far as it was asked for."""
    return Point(str(record.id), record.payload or {}, vector_of(record.vector) if record.vector else None)


def vector_of(vectors: object) -> Vector:
    """Return the dense one of a point's vectors."""
    if not isinstance(vectors, dict):
        message = f"the server returned {type(vectors).__name__} for named vectors"
        raise TypeError(message)
    return np.asarray(vectors[DENSE], np.float32)


def sparse(vector: SparseVector) -> models.SparseVector:
    """Return a keyword vector; its numbers are what they were."""
    return models.SparseVector(indices=vector.indices, values=vector.values)


def _pieces(operation: Operation, bm25: Bm25) -> Iterator[tuple[_Piece, int]]:
    """Yield what may be separated, with about as many bytes as it takes."""
    match operation:
        case Delete():
            yield (operation, None), 0
        case Upsert(points):
            for point in points:
                vectors: dict[str, models.Vector] = {}
                numbers = 0
                if point.vector is not None:
                    keywords = bm25.embed_document(point.keywords)
                    vectors = {DENSE: point.vector.tolist(), KEYWORDS: sparse(keywords)}
                    numbers = len(point.vector) + 2 * len(keywords.indices)
                struct = models.PointStruct(id=point.id, vector=vectors, payload=dict(point.payload))
                yield (operation, struct), len(to_json(struct.payload)) + _BYTES_PER_NUMBER * numbers


def _merged(pieces: Sequence[_Piece]) -> list[models.UpdateOperation]:
    """Put together again what is of one operation."""
    merged: list[models.UpdateOperation] = []
    for _, group in groupby(pieces, key=lambda piece: id(piece[0])):
        parts = list(group)
        match parts[0][0]:
            case Delete(where):
                selector = models.FilterSelector(filter=filter_of(where))
                merged.append(models.DeleteOperation(delete=selector))
            case Upsert(_, condition):
                points = [struct for _, struct in parts if struct is not None]
                update_filter = filter_of(condition) if condition else None
                upsert = models.PointsList(points=points, update_filter=update_filter)
                merged.append(models.UpsertOperation(upsert=upsert))
    return merged


def _older(version: Version, increments: models.Range) -> models.Filter:
    """Compare the pair; both integers are below 2**53, where floats are exact."""
    same_second = models.FieldCondition(key=SECONDS, range=models.Range(gte=version.seconds, lte=version.seconds))
    earlier = models.FieldCondition(key=SECONDS, range=models.Range(lt=version.seconds))
    within = models.FieldCondition(key=INCREMENT, range=increments)
    return models.Filter(should=[earlier, models.Filter(must=[same_second, within])])
