"""The hashing embedder, telling what it was given."""

from collections.abc import Callable, Sequence

from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.embedding.port import TokenStates, Vectors, never


class HashEmbedder(HashingEmbedder):
    """Keeps every text given to `embed_documents` and `embed_tokens`, in order: a test can say "embedded once"."""

    def __init__(self, dimension: int = 384, max_tokens: int = 256) -> None:
        super().__init__(dimension, max_tokens)
        self.embedded: list[str] = []

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        vectors = super().embed_documents(texts, stop)
        self.embedded += texts
        return vectors

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenStates]:
        self.embedded += texts
        return super().embed_tokens(texts)
