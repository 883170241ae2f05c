"""BM25 vectors: one model for every engine, so that an index is found in whatever server it came to stand."""

from qdrant_edge import Bm25, Bm25Config


def bm25() -> Bm25:
    """Return what makes sparse vectors of texts; how rare a word is, the engine knows (its IDF modifier)."""
    return Bm25(Bm25Config(language="english"))
