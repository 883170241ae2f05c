"""Port below the feature store: what a vector engine must be able to do, and nothing of what we promise with it.

The epoch, the record check and the purge are written once, in `epoch.py` and `store.py`, over these primitives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from twin_contracts.documents import DocumentType
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.events import Version
from twin_platform.features.port import Vector

JsonObject = Mapping[str, object]


class Alias(StrEnum):
    """Names under which readers know the collections; the real one is `collection_of(alias, spec)`."""

    DOCUMENTS = "documents"
    CHUNKS_PROSE = "chunks_prose"
    CHUNKS_CODE = "chunks_code"


CHUNKS = (Alias.CHUNKS_PROSE, Alias.CHUNKS_CODE)
SECONDS, INCREMENT = "version.seconds", "version.increment"
DENSE, KEYWORDS = "dense", "bm25"
"""The two vectors of a chunk."""
EXACT_BELOW = 200_000
"""Points; below it every vector is compared, and no graph is built."""
RRF_K = 60
"""Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion", SIGIR 2009."""
_RECORD_FORMAT = "1"
_CHUNK_FIELDS = {"document_id": str, "metadata.author": str, "metadata.type": str, "metadata.platform": str}

INDEXED_FIELDS: Mapping[Alias, Mapping[str, type[str | int]]] = {
    Alias.DOCUMENTS: {"status": str, "metadata.author": str, SECONDS: int},
    Alias.CHUNKS_PROSE: _CHUNK_FIELDS,
    Alias.CHUNKS_CODE: _CHUNK_FIELDS,
}
"""Payload fields that conditions select points by; other conditions only look at points that these have selected."""


def collection_of(alias: Alias, spec: EmbeddingSpec) -> str:
    """Return the real collection's name: vectors of two specs never meet in one."""
    return f"{alias}__{_RECORD_FORMAT if alias is Alias.DOCUMENTS else spec.id}"


def alias_of(document_type: DocumentType) -> Alias:
    """Return where the chunks of a document of this type are kept."""
    return Alias.CHUNKS_CODE if document_type is DocumentType.CODE else Alias.CHUNKS_PROSE


@dataclass(frozen=True, slots=True)
class Among:
    """The field at this dotted path has one of these values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """The field at this dotted path has another value."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class UpTo:
    """The point is of this version or an older one."""

    version: Version


@dataclass(frozen=True, slots=True)
class Before:
    """The point is strictly older than this version."""

    version: Version


@dataclass(frozen=True, slots=True)
class HasId:
    """The point's id is one of these."""

    ids: tuple[str, ...]


Where = tuple[Among | Other | UpTo | Before | HasId, ...]
"""All of these hold; the empty one holds for every point."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point. `payload["version"]` holds the two integers that conditions compare."""

    id: str
    payload: JsonObject
    vector: Vector | None = None
    keywords: str = ""
    """What BM25 indexes; written with the point, never read back."""


@dataclass(frozen=True, slots=True)
class Upsert:
    """Write whole points; one that exists is replaced only where `condition` holds for what is stored.

    The condition does not stop the insert of an absent id, in no engine we use: that is why readers check.
    """

    points: tuple[Point, ...]
    condition: Where


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the points for which `where` holds."""

    where: Where


Operation = Upsert | Delete


@dataclass(frozen=True, slots=True)
class Select:
    """What to read of a point: these payload fields (None: all of them), its vector or not."""

    fields: tuple[str, ...] | None = None
    vector: bool = False


@dataclass(frozen=True, slots=True)
class HybridQuery:
    """Dense and BM25, `candidates` of each, fused by reciprocal rank; the best `limit`."""

    vector: Vector
    keywords: str
    where: Where
    candidates: int
    limit: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A found point with its fused score, higher is better."""

    id: str
    payload: JsonObject
    vector: Vector
    score: float


class PointEngine(Protocol):
    """Collections of points. One thread writes, any number read; a write is seen by the next read.

    Every method raises `FeaturesUnavailable` where the engine does not answer or cannot write.
    """

    def write(self, alias: Alias, operations: Sequence[Operation]) -> None:
        """Carry out in order; a failure or a kill may leave any beginning of it done."""

    def retrieve(self, alias: Alias, ids: Sequence[str], select: Select) -> list[Point]:
        """Return the points that exist among `ids`, in any order."""

    def query(self, alias: Alias, query: HybridQuery) -> list[Scored]:
        """Return the best points first."""

    def scroll(
        self, alias: Alias, where: Where, select: Select, offset: str | None, limit: int
    ) -> tuple[list[Point], str | None]:
        """Return a page in id order from `offset` on, and the next page's offset or None at the end."""

    def count(self, alias: Alias, where: Where) -> int:
        """Return exactly how many points there are."""

    def flush(self) -> None:
        """Make everything written so far survive a loss of power, chunks before the records that name them."""

    def optimize(self) -> None:
        """Rebuild what has become slow; does nothing where nothing has."""

    def close(self) -> None:
        """Flush and release. Idempotent."""
