"""An embedder that costs nothing: every text has the same vector, and every five characters are a token."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.embedding.port import Vectors, never

_TOKEN_CHARACTERS = 5
"""As in the generated texts: 1 KB is about as many tokens as it has words and signs."""


class FreeTokenizer:
    """Looks at nothing but the text's length."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the tokens of `text` as (start, end) in code points."""
        return _spans(len(text))

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return each text's number of tokens."""
        return [-(-len(text) // _TOKEN_CHARACTERS) for text in texts]

    def __repr__(self) -> str:
        """Name it in the pipeline's hash."""
        return "FreeTokenizer()"


@cache
def _spans(length: int) -> list[tuple[int, int]]:
    """Made once for a length, since 800 pairs would take 100 us of an article; a model's tokenizer makes its own."""
    return [(start, start + _TOKEN_CHARACTERS) for start in range(0, length, _TOKEN_CHARACTERS)]


class FreeEmbedder(HashingEmbedder):
    """The null embedder without even its hashing and its search for words, which a model does in code of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer: FreeTokenizer = FreeTokenizer()  # type: ignore[assignment]  # another one of the same port

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:  # noqa: ARG002 - the port's
        """Return the first unit vector for every text."""
        vectors = np.zeros((len(texts), self.spec.dimension), np.float32)
        vectors[:, 0] = 1.0
        return vectors
