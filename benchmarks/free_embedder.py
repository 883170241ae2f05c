"""An embedder that costs nothing: every text has the same vector."""

from collections.abc import Callable, Sequence

import numpy as np

from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.embedding.port import Vectors, never


class FreeEmbedder(HashingEmbedder):
    """The null embedder without even its hashing; its tokenizer is the null embedder's."""

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:  # noqa: ARG002 - the port's
        """Return the first unit vector for every text."""
        vectors = np.zeros((len(texts), self.spec.dimension), np.float32)
        vectors[:, 0] = 1.0
        return vectors
