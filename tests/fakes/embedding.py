"""A null embedder: deterministic, needs no weights, and texts that share words are similar."""

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.errors import EmbeddingInterrupted
from twin_platform.embedding.port import TokenStates, Vectors, never

_TOKEN = re.compile(r"\w+|[^\w\s]")
_SPECIAL_TOKENS = 2
_SLOTS_PER_WORD = 8


class WordTokenizer:
    """A token is a run of letters and digits, or one other character that is not white space."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in _TOKEN.finditer(text)]

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [len(_TOKEN.findall(text)) for text in texts]

    def __repr__(self) -> str:
        return "WordTokenizer()"


class HashEmbedder:
    """Sums a signed hash of each word. Counts what it was given, so that a test can say "embedded once"."""

    def __init__(self, dimension: int = 384, max_tokens: int = 256) -> None:
        self.spec = EmbeddingSpec(
            id=f"hash-{dimension}", model="hash", revision="1", dimension=dimension, max_tokens=max_tokens
        )
        self.tokenizer = WordTokenizer()
        self.embedded: list[str] = []
        """Every text given to `embed_documents` and `embed_tokens`, in order."""

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        vectors = np.zeros((len(texts), self.spec.dimension), np.float32)
        for row, text in enumerate(texts):
            if stop():
                raise EmbeddingInterrupted
            vectors[row] = self._vector(self.spec.document_prefix + text)
            self.embedded.append(text)
        return vectors

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenStates]:
        self.embedded += texts
        return [self._token_states(text) for text in texts]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return self._vector(self.spec.query_prefix + text)

    def _token_states(self, text: str) -> TokenStates:
        spans = self.tokenizer.spans(text)[: self.spec.max_tokens - _SPECIAL_TOKENS]
        states = [self._vector(text[start:end]) for start, end in spans]
        return TokenStates(tuple(spans), np.array(states, np.float32).reshape(-1, self.spec.dimension))

    def _vector(self, text: str) -> NDArray[np.float32]:
        words = _TOKEN.findall(text.lower())[: self.spec.max_tokens - _SPECIAL_TOKENS]
        vector = np.zeros(self.spec.dimension, np.float32)
        for word in words or [""]:
            digest = np.frombuffer(
                blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * _SLOTS_PER_WORD).digest(), np.uint32
            )
            np.add.at(vector, digest % self.spec.dimension, np.where(digest >> 31, 1.0, -1.0))
        length = float(np.linalg.norm(vector))
        if length == 0.0:  # the words cancel each other out
            vector[0] = length = 1.0
        return vector / np.float32(length)
