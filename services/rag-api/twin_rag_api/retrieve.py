"""Question to chunks: embed it, search by meaning and by keywords."""

from dataclasses import dataclass

from twin_contracts.base import AuthorId
from twin_contracts.http import SearchFilters
from twin_platform.embedding.port import Embedder
from twin_platform.features.port import FeatureHit, FeatureQuery, FeatureStore
from twin_platform.records.authors import known_id
from twin_platform.records.port import RecordStore


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


def by_known_names(filters: SearchFilters, records: RecordStore) -> SearchFilters:
    """Return the filters with whom their authors were merged into: nothing is stored under the other spelling."""
    author = None if filters.author is None else known_id(records, filters.author)
    authors = None if filters.authors is None else tuple(known_id(records, one) for one in filters.authors)
    return filters.model_copy(update={"author": author, "authors": authors})


def _authors(filters: SearchFilters) -> frozenset[AuthorId] | None:
    """Return whose chunks may be found: `author` and `authors` both hold."""
    given = None if filters.authors is None else frozenset(filters.authors)
    if filters.author is None:
        return given
    return frozenset({filters.author}) & (given or {filters.author})
