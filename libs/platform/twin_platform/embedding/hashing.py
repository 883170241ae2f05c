"""Feature hashing: an embedder that needs no weights and costs next to nothing, for load tests and tests.

Texts that share words are similar, and that is all it knows (Weinberger et al., "Feature Hashing for Large Scale
Multitask Learning", ICML 2009).
"""

import re
from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.errors import EmbeddingInterrupted
from twin_platform.embedding.port import TokenStates, Vectors, never

_TOKEN = re.compile(r"\w+|[^\w\s]")
_SPECIAL_TOKENS = 2


class WordTokenizer:
    """A token is a run of letters and digits, or one other character that is not white space."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the tokens of `text` as (start, end) in code points."""
        return [match.span() for match in _TOKEN.finditer(text)]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return each text's number of tokens."""
        return [len(_TOKEN.findall(text)) for text in texts]

    def __repr__(self) -> str:
        """Name it in the pipeline's hash."""
        return "WordTokenizer()"


class HashingEmbedder:
    """Embedder that adds up a sign for every word, at the place and of the kind that the word's hash says."""

    def __init__(self, dimension: int = 384, max_tokens: int = 256) -> None:
        self.spec = EmbeddingSpec(
            id=f"hashing-{dimension}", model="hashing", revision="1", dimension=dimension, max_tokens=max_tokens
        )
        self.tokenizer = WordTokenizer()

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        """Return one vector per text, in order."""
        vectors = np.zeros((len(texts), self.spec.dimension), np.float32)
        for row, text in enumerate(texts):
            if stop():
                raise EmbeddingInterrupted
            vectors[row] = self._vector(self.spec.document_prefix + text)
        return vectors

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return the states of each text's tokens, in order: those of the words alone."""
        return [self._states(text) for text in texts]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the query's vector, shape (dimension,)."""
        return self._vector(self.spec.query_prefix + text)

    def _states(self, text: str) -> TokenStates:
        spans = self.tokenizer.spans(text)[: self.spec.max_tokens - _SPECIAL_TOKENS]
        states = [self._vector(text[start:end]) for start, end in spans]
        return TokenStates(tuple(spans), np.array(states, np.float32).reshape(-1, self.spec.dimension))

    def _vector(self, text: str) -> NDArray[np.float32]:
        words = _TOKEN.findall(text.lower())[: self.spec.max_tokens - _SPECIAL_TOKENS]
        hashes = np.array([crc32(word.encode("utf-8", "surrogatepass")) for word in words or [""]], np.uint32)
        signs = np.where(hashes >> 31, 1.0, -1.0)
        vector = np.bincount(hashes % self.spec.dimension, signs, self.spec.dimension).astype(np.float32)
        length = float(np.linalg.norm(vector))
        if length == 0.0:  # the words cancel each other out
            vector[0] = length = 1.0
        return vector / np.float32(length)
