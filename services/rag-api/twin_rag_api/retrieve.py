"""Question to chunks: embed it, search by meaning and by keywords."""

from dataclasses import dataclass

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
                author=filters.author,
                types=filters.types,
                platform=filters.platform,
                document_id=filters.document_id,
            )
        )
