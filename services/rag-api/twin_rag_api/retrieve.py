"""Question to chunks: embed it, search by meaning and by keywords."""

from dataclasses import dataclass

from twin_contracts.base import AuthorId
from twin_contracts.http import SearchFilters
from twin_platform.embedding.port import Embedder
from twin_platform.features.port import FeatureHit, FeatureQuery, FeatureStore


@dataclass(frozen=True)
class Retriever:
    """Finds chunks in force; the store checks each against its document's record."""

    features: FeatureStore
    embedder: Embedder

    def __call__(self, query: str, limit: int, filters: SearchFilters) -> list[FeatureHit]:
        """Return at most `limit` chunks, best first."""
        return self.features.search(
            FeatureQuery(
                text=query,
                vector=self.embedder.embed_query(query),
                limit=limit,
                authors=_authors(filters),
                types=filters.types,
                platform=filters.platform,
                document_id=filters.document_id,
            )
        )


def _authors(filters: SearchFilters) -> frozenset[AuthorId] | None:
    """Return whose chunks may be found: `author` and `authors` both hold."""
    given = None if filters.authors is None else frozenset(filters.authors)
    if filters.author is None:
        return given
    return frozenset({filters.author}) & (given or {filters.author})
