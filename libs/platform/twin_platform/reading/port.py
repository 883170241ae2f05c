"""Port: a question and excerpts of texts in, how well each of their sentences answers it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
"""One per sentence, in order."""


@dataclass(frozen=True)
class Excerpt:
    """Sentences that follow each other in a text, and the heading they stand under."""

    heading: str
    sentences: tuple[str, ...]


class Reader(Protocol):
    """Reads a question together with what might answer it. Thread-safe."""

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[Scores]:
        """Return the scores of each excerpt's sentences, in order.

        A score is the logarithm of the odds that this sentence answers rather than none at all, as far as its excerpt
        tells; it does not depend on the other excerpts. Excerpts and sentences may have any length, and be empty.
        """
