"""How like a question is to texts, token by token: late interaction (Khattab and Zaharia, 2020, "ColBERT").

Each token of the question looks for the token most like it. That tells apart sentences of one subject, whose vectors
as a whole are alike; and a token that finds nothing alike is a sign that the text does not answer.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from twin_platform.embedding.port import Embedder, TokenStates
from twin_rag_api.words import places, stem

Matches = NDArray[np.float32]
"""For each token of the question the cosine with the token most like it."""

_FILLING: Final = 0.2
"""Weight of a stop word; that of a word which no text around has is 1."""


class Likeness:
    """A question compared with texts that were embedded together with it, once each."""

    def __init__(self, question: str, texts: Iterable[str], embedder: Embedder) -> None:
        """Embed the texts and the question."""
        known = list(dict.fromkeys([question, *texts]))
        self._read: dict[str, TokenStates] = dict(zip(known, embedder.embed_tokens(known), strict=True))
        self._question = self._read[question]
        self._matches: dict[str, Matches] = {}

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return where the question's tokens stand."""
        return self._question.spans

    def matches(self, texts: Iterable[str]) -> Matches:
        """Return how well each token of the question is matched by the texts together, at least one."""
        best: Matches = np.max([self._matched(text) for text in texts], axis=0)
        return best

    def _matched(self, text: str) -> Matches:
        if text not in self._matches:
            cosines = self._question.states @ self._read[text].states.T
            self._matches[text] = cosines.max(axis=1, initial=-1.0)
        return self._matches[text]


class TokenWeights:
    """How much the question's tokens count: its rare words most, shared by a word's tokens; marks nothing."""

    def __init__(self, question: str, spans: Iterable[tuple[int, int]], weights: Mapping[str, float]) -> None:
        """Lay out the weights that the stems of content words have."""
        words = places(question)
        of_token = [
            next((at for at, (start, end, _) in enumerate(words) if start <= token < end), None) for token, _ in spans
        ]
        shares = [1 / of_token.count(at) for at in of_token]
        stems = [None if at is None else stem(words[at][2]) for at in of_token]
        content = np.array([weights.get(one or "", 0.0) for one in stems])
        filling = np.array([_FILLING * (one is not None and one not in weights) for one in stems])
        self._all = (content + filling) * shares
        self._content = content > 0 if content.any() else np.ones(len(content), bool)

    def mean(self, matches: Matches) -> float:
        """Return the weighted mean over all tokens."""
        return float(matches @ self._all / (self._all.sum() or 1.0))

    def weakest(self, matches: Matches) -> float:
        """Return the match of the content token that found the least."""
        return float(matches[self._content].min()) if len(matches) else 0.0
