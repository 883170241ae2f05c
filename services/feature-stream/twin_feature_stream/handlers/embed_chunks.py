"""Embed texts with the model that the embedder was opened for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from twin_platform.embedding.port import Embedder, Vectors


@dataclass(frozen=True)
class EmbedChunks:
    """Hand texts to the embedder. Shown by the embedder's spec: a vector depends on nothing else."""

    version: ClassVar[int] = 1

    embedder: Embedder

    def __call__(self, texts: Sequence[str], stop: Callable[[], bool]) -> Vectors:
        """Return one vector per text, in order; raises `EmbeddingInterrupted` when `stop` says so."""
        return self.embedder.embed_documents(texts, stop)

    def __repr__(self) -> str:
        """Return the same in every process, whatever adapter embeds."""
        return f"EmbedChunks({self.embedder.spec!r})"
