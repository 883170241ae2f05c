"""A Qdrant server that several processes share, reached over HTTP."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from qdrant_client import models
from qdrant_client.qdrant_remote import QdrantRemote

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.features.engine import (
    DENSE,
    KEYWORDS,
    RRF_K,
    Alias,
    HybridQuery,
    Operation,
    Point,
    Scored,
    Select,
    Where,
    collection_of,
)
from twin_platform.features.errors import CollectionMissing, FeaturesRefused, FeaturesUnavailable
from twin_platform.features.keywords import bm25
from twin_platform.features.qdrant_collections import claim, claim_again, require_fit
from twin_platform.features.qdrant_link import Link, Patience
from twin_platform.features.qdrant_requests import (
    filter_of,
    payload_of,
    point_of,
    requests_of,
    sparse,
    vector_of,
)

T = TypeVar("T")
READING = Patience(answer_seconds=10, again_seconds=5.0)
"""Somebody waits for what is read."""
WRITING = Patience(answer_seconds=60, again_seconds=60.0)
"""A server that is merely slow goes on being used, and one that starts again is waited for: giving up costs the flow
its place at the log, and what it has embedded."""


class QdrantReader:
    """The reading half of a PointEngine; makes nothing on the server and removes nothing.

    Where its collections are missing it is unavailable: no flow with this embedding model has been started yet, or one
    with another model has.

    Raises:
        FeaturesUnfit: the server is older than 1.16.
        FeaturesRefused: it does not let us in.
        FeaturesUnavailable: it does not answer.
    """

    def __init__(self, url: str, spec: EmbeddingSpec, patience: Patience = READING) -> None:
        self._link = Link(url, patience)
        self._spec = spec
        self._bm25 = bm25()
        self._names = {alias: collection_of(alias, spec) for alias in Alias}
        try:
            require_fit(self._link)
        except BaseException:
            self.close()
            raise

    def retrieve(self, alias: Alias, ids: Sequence[str], select: Select) -> list[Point]:
        """Return the points that exist among `ids`."""
        if not ids:
            return []
        found = self._read(
            "read",
            lambda client: client.retrieve(
                self._names[alias], list(ids), with_payload=payload_of(select), with_vectors=_vectors(select)
            ),
        )
        return [point_of(record) for record in found]

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        """Return the best points; the server runs both prefetches and the fusion in one call."""
        where, words = filter_of(query.where), sparse(self._bm25.embed_query(query.keywords))
        sides: list[tuple[str, models.QueryInterface]] = [(DENSE, query.vector.tolist())]
        sides += [(KEYWORDS, words)] if words.indices else []
        found = self._read(
            "search",
            lambda client: client.query_points(
                self._names[alias],
                prefetch=[
                    models.Prefetch(query=side, using=using, filter=where, limit=query.candidates)
                    for using, side in sides
                ],
                query=models.RrfQuery(rrf=models.Rrf(k=RRF_K)),
                limit=query.limit,
                with_payload=True,
                with_vectors=[DENSE],
                timeout=READING.answer_seconds,
            ),
        )
        return [Scored(str(one.id), one.payload or {}, vector_of(one.vector), one.score) for one in found.points]

    def scroll(
        self, alias: Alias, where: Where, select: Select, offset: str | None, limit: int
    ) -> tuple[list[Point], str | None]:
        """Return a page in id order, and the next page's offset."""
        found, following = self._read(
            "read",
            lambda client: client.scroll(
                self._names[alias],
                scroll_filter=filter_of(where),
                limit=limit,
                offset=offset,
                with_payload=payload_of(select),
                with_vectors=_vectors(select),
            ),
        )
        return [point_of(record) for record in found], None if following is None else str(following)

    def count(self, alias: Alias, where: Where) -> int:
        """Return exactly how many points there are."""
        found = self._read("count", lambda client: client.count(self._names[alias], filter_of(where), exact=True))
        return found.count

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:  # noqa: ARG002 - the port's signature
        """Refuse: what was opened to be read is not written to."""
        raise FeaturesRefused(tried="write", why=f"{alias} was opened to be read", status=0)

    def flush(self) -> None:
        """Do nothing: what the server has acknowledged survives its end; a loss of power is for replicas to survive."""

    def optimize(self) -> None:
        """Do nothing: the server does it by itself."""

    def close(self) -> None:
        """Let go of the connections. Idempotent."""
        self._link.close()

    def _read(self, tried: str, request: Callable[[QdrantRemote], T]) -> T:
        return self._link(tried, request)


class QdrantEngine(QdrantReader):
    """PointEngine on the collections `<alias>__<spec id>`, whose aliases name the spec in force.

    Opening makes what is missing and removes other specs' chunks: as on Edge there are chunks of one spec or none.
    Lost collections are made anew as soon as that is noticed, and the call that noticed fails; the store is empty then,
    and says so.

    Raises:
        FeaturesUnfit: the server is older than 1.16, or a collection of this name is none of ours.
        FeaturesRefused: it does not let us in.
        FeaturesUnavailable: it does not answer.
    """

    def __init__(self, url: str, spec: EmbeddingSpec, patience: Patience = WRITING) -> None:
        super().__init__(url, spec, patience)
        try:
            claim(self._link, spec)
        except BaseException:
            self.close()
            raise

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:
        """Carry out in order, up to 256 points and deletions a request; returns when the next read sees them."""
        for request in requests_of(operations, self._bm25):
            self._send(alias, request)

    def _send(self, alias: Alias, operations: list[models.UpdateOperation]) -> None:
        try:
            results = self._link.write(
                "write", lambda client: client.batch_update_points(self._names[alias], operations, wait=True)
            )
        except CollectionMissing as missing:
            raise claim_again(self._link, self._spec, missing) from missing
        late = [result for result in results if result.status is not models.UpdateStatus.COMPLETED]
        if late:
            raise FeaturesUnavailable(f"it has only {late[0].status} a write so far", tried="write")

    def _read(self, tried: str, request: Callable[[QdrantRemote], T]) -> T:
        try:
            return super()._read(tried, request)
        except CollectionMissing as missing:
            raise claim_again(self._link, self._spec, missing) from missing


def _vectors(select: Select) -> bool | list[str]:
    return [DENSE] if select.vector else False
