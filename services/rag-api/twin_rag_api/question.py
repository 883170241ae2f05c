"""What a question is about."""

import re
from dataclasses import dataclass

from twin_rag_api.words import STOP_WORDS, plain, stem, words

_POINTS_BACK = re.compile(
    r"^(?:and|but|so|what about|how about)\b|\b(?:it|its|they|them|their|he|she|this|that|these|those|one)\b"
)


@dataclass(frozen=True)
class Question:
    """A question as texts are compared with it."""

    text: str
    """Without marks, with the turn before it where it points back."""
    terms: tuple[str, ...]
    """Stems of its content words, each once."""


def read_question(text: str, previous: str = "") -> Question:
    """Take a question apart; where it points back to the turn before, it is about that one's words, too."""
    asked = plain(text)
    points_back = bool(previous) and bool(_POINTS_BACK.search(asked.casefold()))
    whole = f"{asked} {plain(previous)}" if points_back else asked
    return Question(whole, tuple(dict.fromkeys(stem(word) for word in words(whole) if word not in STOP_WORDS)))
