"""A reader that counts common words: needs no weights and costs next to nothing, for load tests and tests."""

import re
from collections.abc import Sequence

import numpy as np

from twin_platform.reading.port import Excerpt, Scores

_WORD = re.compile(r"\w{3,}")
_ODDS = 10.0
"""From -5 where the sentence has no word of the question to 5 where it has all."""


class WordReader:
    """Reader that knows only which of the question's words of three letters and more a sentence has."""

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[Scores]:
        """Return the scores of each excerpt's sentences, in order."""
        asked = set(_WORD.findall(question.casefold()))
        return [np.array([_score(asked, one) for one in excerpt.sentences], np.float32) for excerpt in excerpts]


def _score(asked: set[str], sentence: str) -> float:
    found = asked & set(_WORD.findall(sentence.casefold()))
    return _ODDS * (len(found) / (len(asked) or 1) - 0.5)
