"""Port: texts to vectors, and the model's own tokenizer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twin_contracts.embedding import EmbeddingSpec

Vectors = NDArray[np.float32]
"""Shape (texts, dimension), each row of unit length."""


def never() -> bool:
    """Return False: embed to the end."""
    return False


@dataclass(frozen=True)
class TokenStates:
    """A text as the model reads it, token by token, each in the light of all others."""

    spans: tuple[tuple[int, int], ...]
    """The tokens as (start, end) in code points, special tokens and those of a prefix left out; cut at the limit."""
    states: Vectors
    """One row of unit length per token."""


class Tokenizer(Protocol):
    """The embedding model's tokenizer. Thread-safe."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the tokens of `text` as (start, end) in code points, special tokens left out, none truncated.

        Characters outside every span (white space, control characters) cost nothing. Tokens of one character that the
        model takes apart (Hangul) share its span.
        """

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return each text's number of tokens, special tokens left out."""


class Embedder(Protocol):
    """Embeds texts under one spec. Thread-safe; a query never waits for more than one sub-batch of documents."""

    @property
    def spec(self) -> EmbeddingSpec:
        """What the vectors are comparable under."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer."""

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        """Return one vector per text, in order. Tokens beyond the spec's limit are ignored by the model.

        Args:
            texts: what to embed, prefix not included.
            stop: asked between sub-batches.

        Raises:
            EmbeddingInterrupted: `stop` said so; nothing is returned.
        """

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return the states of each text's tokens, in order."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the query's vector, shape (dimension,)."""
