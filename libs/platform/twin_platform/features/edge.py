"""Qdrant Edge: the server's engine inside our process, one folder per collection, one process per folder.

Measured with qdrant-edge 0.9: every call holds the interpreter's lock for as long as it takes, which makes any number
of threads safe and makes the others wait; so writes go in small calls. What a call wrote survives a kill of the process
by the engine's own write-ahead log; a loss of power it survives after `flush`.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

import numpy as np
import qdrant_edge as edge

from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.events import Version
from twin_platform.features.engine import (
    CHUNKS,
    DENSE,
    EXACT_BELOW,
    INCREMENT,
    INDEXED_FIELDS,
    KEYWORDS,
    RRF_K,
    SECONDS,
    Alias,
    Among,
    Before,
    Delete,
    HasId,
    HybridQuery,
    Operation,
    Other,
    Point,
    Scored,
    Select,
    Upsert,
    UpTo,
    Where,
    collection_of,
)
from twin_platform.features.errors import FeaturesUnavailable, FeaturesUnreadable
from twin_platform.features.keywords import bm25
from twin_platform.features.mapped import let_go
from twin_platform.features.packed import FIELDS, fields_of, pack, unpack
from twin_platform.features.port import Vector

_POINTS_PER_CALL = 64
RESERVE = 256 * 1024 * 1024
"""Bytes that must stay free: the engine maps its files, and a mapped write to a full disk kills the process."""
MAPPED_BYTES = 100 * 1024 * 1024
"""Bytes of mapped files, 65 MB of libraries among them, above which those of the engine are let go of. It would hold
all that was ever touched: measured, 4 KB for a chunk beside the 1.4 KB that it needs in memory."""
_CALLS_PER_LOOK = 64
"""So many writing calls touch some megabytes; letting go takes milliseconds, and so does the search that comes next."""
_LOG_PIECE_BYTES = 4 * 1024 * 1024
"""The engine's log keeps a full piece beside the one that it fills; by default each has 32 MB, in every collection."""
REPLACED = 10_000
"""Points written above those stored, before a flush rebuilds a collection; measured, 0.5 s for one of 8,000 chunks."""


_FORM = "packed"
"""What the folders' names say of the payloads in them; collections of another form are not read, but begun anew."""


class EdgeEngine:
    """PointEngine on folders `<root>/<alias>__<spec id>__<form>`; the file `<root>/<alias>.alias` names the one in use.

    Opening removes what deletions left where the engine finds that worth it (a fifth of a collection), else costs
    nothing. Chunks are of one spec or there are none: opening under another than the last time, or where a collection
    is missing, begins with empty ones. Everything is to be embedded again then, and the store says so (`is_empty`).

    Raises:
        FeaturesUnreadable: a folder is there and the engine cannot open it.
        FeaturesUnavailable: another process has it open, or the disk is full.
    """

    def __init__(
        self, root: Path, spec: EmbeddingSpec, reserve: int = RESERVE, replaced_before_rebuild: int = REPLACED
    ) -> None:
        self._root = root
        self._reserve = reserve
        self._replaced_before_rebuild = replaced_before_rebuild
        self._written = Counter[Alias]()
        self._bm25 = bm25()
        self._shards: dict[Alias, edge.EdgeShard] = {}
        self._unflushed: set[Alias] = set()
        self._calls = 0
        self._lock = RLock()  # costs no time, since a call holds the interpreter's; but that one is let go between two
        root.mkdir(parents=True, exist_ok=True)
        self._refuse_full_disk()
        try:
            self._shards[Alias.DOCUMENTS] = _open(root, Alias.DOCUMENTS, spec)  # first: now nobody else has the others
            _remove_others(root, spec)
            for alias in CHUNKS:
                self._shards[alias] = _open(root, alias, spec)
            for alias in Alias:
                self._optimize_if_room(alias)
        except BaseException:
            self.close()
            raise

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:
        """Carry out in order, at most 64 points a call."""
        for operation in operations:
            self._written[alias] += len(operation.points) if isinstance(operation, Upsert) else 0
            for update in self._updates(operation):
                self._refuse_full_disk()
                with self._lock, _translated("write"):
                    self._unflushed.add(alias)
                    self._shards[alias].update(update)
                self._let_go_sometimes()

    def retrieve(self, alias: Alias, ids: Sequence[str], select: Select) -> list[Point]:
        """Return the points that exist among `ids`."""
        with self._lock, _translated("read"):
            found = self._shards[alias].retrieve(list(ids), _payload(select), _vectors(select))
        return [_point(record, select) for record in found]

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        """Return the best points; the engine runs both prefetches and the fusion in one call."""
        where = _filter(query.where)
        dense = edge.Query.Nearest(query.vector.tolist(), using=DENSE)
        keywords = edge.Query.Nearest(self._bm25.embed_query(query.keywords), using=KEYWORDS)
        request = edge.QueryRequest(
            limit=query.limit,
            query=edge.Fusion.Rrf(k=RRF_K),  # type: ignore[arg-type]  # the stub forgets that it is a Fusion
            prefetches=[edge.Prefetch(query.candidates, one, filter=where) for one in (dense, keywords)],
            with_payload=True,
            with_vector=[DENSE],
        )
        with self._lock, _translated("search"):
            found = self._shards[alias].query(request)
        return [Scored(str(one.id), unpack(one.payload or {}), _array(one.vector), one.score) for one in found]

    def scroll(
        self, alias: Alias, where: Where, select: Select, offset: str | None, limit: int
    ) -> tuple[list[Point], str | None]:
        """Return a page in id order, and the next page's offset."""
        request = edge.ScrollRequest(offset, limit, _filter(where), _payload(select), _vectors(select))
        with self._lock, _translated("read"):
            found, following = self._shards[alias].scroll(request)
        return [_point(record, select) for record in found], None if following is None else str(following)

    def count(self, alias: Alias, where: Where) -> int:
        """Return exactly how many points there are."""
        with self._lock, _translated("count"):
            return self._shards[alias].count(edge.CountRequest(exact=True, filter=_filter(where)))

    def flush(self) -> None:
        """Flush what was written to since the last flush, chunks first; rebuild it where it was replaced often."""
        with self._lock:
            for alias in (*CHUNKS, Alias.DOCUMENTS):
                if alias in self._unflushed:
                    self._rebuild_if_replaced(alias)
                    with _translated("flush"):
                        self._shards[alias].flush()
                    self._unflushed.discard(alias)

    def optimize(self) -> None:
        """Let the engine rebuild where it finds that worth it; some seconds per 50,000 points, readers wait."""
        for alias in self._shards:
            self._optimize(alias)
        self.flush()

    def close(self) -> None:
        """Flush and release the folders. Idempotent."""
        try:
            self.flush()
        finally:
            with self._lock:
                for shard in self._shards.values():
                    shard.close()

    def _optimize(self, alias: Alias) -> None:
        self._refuse_full_disk()
        with self._lock, _translated("optimize"):
            if self._shards[alias].optimize():
                self._unflushed.add(alias)  # what was rebuilt is on disk twice before the next flush
        self._written[alias] = 0

    def _rebuild_if_replaced(self, alias: Alias) -> None:
        """Rebuild where more was written since the last time than is stored, so that edits take no room for ever."""
        replaced = self._written[alias] - self._replaced_before_rebuild
        if replaced > 0 and replaced > self.count(alias, ()):
            self._optimize_if_room(alias)

    def _optimize_if_room(self, alias: Alias) -> None:
        """Rebuild, or not: where the disk has no room for another copy of it, a collection serves all the same."""
        self._written[alias] = 0
        with suppress(FeaturesUnavailable):
            self._optimize(alias)

    def _updates(self, operation: Operation) -> Iterator[edge.UpdateOperation]:
        match operation:
            case Delete(where):
                yield edge.UpdateOperation.delete_points_by_filter(_filter(where))
            case Upsert(points, condition):
                for start in range(0, len(points), _POINTS_PER_CALL):
                    batch = [self._vendor_point(point) for point in points[start : start + _POINTS_PER_CALL]]
                    yield edge.UpdateOperation.upsert_points(batch, condition=_filter(condition))

    def _let_go_sometimes(self) -> None:
        self._calls += 1
        if self._calls % _CALLS_PER_LOOK == 0:
            with self._lock:  # nobody unmaps a file meanwhile
                let_go(self._root, above=MAPPED_BYTES)

    def _vendor_point(self, point: Point) -> edge.Point:
        vectors: dict[str, edge.NamedVector] = {}
        if point.vector is not None:
            vectors = {DENSE: point.vector.tolist(), KEYWORDS: self._bm25.embed_document(point.keywords)}
        return edge.Point(point.id, vectors, pack(point.payload))

    def _refuse_full_disk(self) -> None:
        free = shutil.disk_usage(self._root).free
        if free < self._reserve:
            why = f"{self._root} has {free:,} bytes free and {self._reserve:,} must stay free; make room"
            raise FeaturesUnavailable(why, tried="write")


def _open(root: Path, alias: Alias, spec: EmbeddingSpec) -> edge.EdgeShard:
    folder = root / _name(alias, spec)
    if not folder.exists():
        _create(folder, alias, spec)
    try:
        with _translated("open"):
            shard = edge.EdgeShard.load(str(folder))
    except FeaturesUnavailable as error:
        if "WouldBlock" in error.why:  # the engine's words for a lock that another process holds
            why = f"{folder} is open in another process; end that one"
            raise FeaturesUnavailable(why, tried="open") from error
        raise FeaturesUnreadable(str(root), error.why) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what some damage ends in; the type cannot be imported
            raise
        raise FeaturesUnreadable(str(root), str(error)) from error
    if alias is Alias.DOCUMENTS:
        _point_alias(root, alias, folder.name)
    return shard


def _name(alias: Alias, spec: EmbeddingSpec) -> str:
    return f"{collection_of(alias, spec)}__{_FORM}"


def _remove_others(root: Path, spec: EmbeddingSpec) -> None:
    """Leave this spec's chunk collections alone, or none: what another spec was filled with meanwhile is not in them.

    The pointers come first, so that a kill in the middle leaves no state that either spec takes for its own.
    """
    for folder in root.glob(f"{Alias.DOCUMENTS}__*"):
        if folder.name != _name(Alias.DOCUMENTS, spec):
            shutil.rmtree(folder)
    wanted = {alias: _name(alias, spec) for alias in CHUNKS}
    is_whole = all(_pointed(root, alias) == name and (root / name).exists() for alias, name in wanted.items())
    for alias, name in wanted.items():
        _point_alias(root, alias, name)
    for alias, name in wanted.items():
        for folder in root.glob(f"{alias}__*"):
            if folder.name != name or not is_whole:
                shutil.rmtree(folder)


def _create(folder: Path, alias: Alias, spec: EmbeddingSpec) -> None:
    """Make the collection beside its place and move it there whole, so that a kill leaves no half of one."""
    unfinished = folder.with_name(folder.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    with _translated("create"):
        edge.EdgeShard.create(str(unfinished), _config(alias, spec)).close()
        _cut_log_small(unfinished)
        shard = edge.EdgeShard.load(str(unfinished))
        for field, kind in INDEXED_FIELDS[alias].items():
            schema = edge.PayloadSchemaType.Keyword if kind is str else edge.PayloadSchemaType.Integer
            shard.update(edge.UpdateOperation.create_field_index(FIELDS[field], schema))
        shard.flush()
        shard.close()
    unfinished.rename(folder)


def _cut_log_small(folder: Path) -> None:
    """Set the size of the log's pieces, which only the engine's own file of settings can, while the log is empty."""
    file = folder / "edge_config.json"
    settings = json.loads(file.read_text("utf-8"))
    options = {"segment_capacity": _LOG_PIECE_BYTES, "segment_queue_len": 0, "retain_closed": 1}
    file.write_text(json.dumps(settings | {"wal_options": options}), "utf-8")
    shutil.rmtree(folder / "wal")


def _config(alias: Alias, spec: EmbeddingSpec) -> edge.EdgeConfig:
    keywords = {KEYWORDS: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
    if alias is Alias.DOCUMENTS:
        return edge.EdgeConfig(sparse_vectors=keywords)  # the engine wants one vector field; this one stays empty
    # Vectors have unit length: the dot product is the cosine, and gives back exactly the bits that were stored.
    dense = {DENSE: edge.EdgeVectorParams(size=spec.dimension, distance=edge.Distance.Dot)}
    kilobytes = EXACT_BELOW * spec.dimension * np.dtype(np.float32).itemsize // 1024
    optimizers = edge.EdgeOptimizersConfig(indexing_threshold=kilobytes)
    return edge.EdgeConfig(vectors=dense, sparse_vectors=keywords, optimizers=optimizers)


def _pointed(root: Path, alias: Alias) -> str | None:
    pointer = root / f"{alias}.alias"
    return pointer.read_text() if pointer.exists() else None


def _point_alias(root: Path, alias: Alias, collection: str) -> None:
    if _pointed(root, alias) == collection:
        return
    pointer = root / f"{alias}.alias"
    unfinished = pointer.with_suffix(".new")
    unfinished.write_text(collection)
    unfinished.replace(pointer)


@contextmanager
def _translated(tried: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if type(error) is not Exception:  # the engine knows no type of its own for its failures
            raise
        raise FeaturesUnavailable(str(error), tried) from error


def _filter(where: Where) -> edge.Filter:
    must: list[edge.ConditionType] = []
    must_not: list[edge.ConditionType] = []
    for condition in where:
        match condition:
            case Among(field, values):
                must.append(edge.FieldCondition(FIELDS[field], match=edge.MatchAny(list(values))))
            case Other(field, value):
                must_not.append(edge.FieldCondition(FIELDS[field], match=edge.MatchValue(value)))
            case UpTo(version):
                must.append(_older(version, edge.RangeFloat(lte=version.increment)))
            case Before(version):
                must.append(_older(version, edge.RangeFloat(lt=version.increment)))
            case HasId(ids):
                must.append(edge.HasIdCondition(set(ids)))
    return edge.Filter(must=must, must_not=must_not)


def _older(version: Version, increments: edge.RangeFloat) -> edge.Filter:
    """Compare the pair; both integers are below 2**53, where floats are exact."""
    seconds = FIELDS[SECONDS]
    same_second = edge.FieldCondition(seconds, range=edge.RangeFloat(gte=version.seconds, lte=version.seconds))
    earlier = edge.FieldCondition(seconds, range=edge.RangeFloat(lt=version.seconds))
    within = edge.FieldCondition(FIELDS[INCREMENT], range=increments)
    return edge.Filter(should=[earlier, edge.Filter(must=[same_second, within])])


def _payload(select: Select) -> bool | list[str]:
    return True if select.fields is None else fields_of(select.fields)


def _vectors(select: Select) -> bool | list[str]:
    return [DENSE] if select.vector else False


def _point(record: edge.Record, select: Select) -> Point:
    payload = unpack(record.payload or {})
    if select.fields is not None:
        payload = {name: payload[name] for name in select.fields if name in payload}
    return Point(str(record.id), payload, _array(record.vector) if record.vector else None)


def _array(vector: object) -> Vector:
    if not isinstance(vector, dict):
        message = f"the engine returned {type(vector).__name__} for a named vector"
        raise TypeError(message)
    return np.asarray(vector[DENSE], np.float32)
