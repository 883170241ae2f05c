"""How evidence becomes a ranking and a confidence: two linear functions whose weights were calibrated.

`benchmarks/calibrate_answers.py` fits both and prints them as they stand here. It reads `calibration.json` (questions
of our own about the real articles, half of them unanswerable) and the calibration half of `questions.json`; the
held-out half is never read. The ranking is the softmax regression under which the sentences that hold an answer's
words come first; the confidence is the logistic regression of "the quotes hold the answer's words". Both are strongly
regularised: there are a few hundred questions, not thousands.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from twin_rag_api.evidence import Candidate

RANKING: Final[Mapping[str, float]] = {
    "read": 0.646,
    "alike_near": 12.424,
}
"""Weights of `Evidence`; only their differences between sentences matter."""

CONFIDENCE: Final[Mapping[str, float]] = {
    "weakest": 3.371,
    "alike": 5.843,
    "read": 0.274,
    "read_three": 0.145,
    "always": -5.410,
}
"""Weights of `signs`."""

THRESHOLD: Final = 0.48
"""Below this confidence the answerer refuses: nine in ten questions that no text answers.

On folds of other documents than the weights were fitted on, 199 of 219 unanswerable questions were refused, and 159 of
229 answerable ones, 28 paraphrases among them, were answered with quotes that hold exactly the expected words.
"""


def ranked(candidates: Sequence[Candidate], weights: Mapping[str, float] = RANKING) -> list[tuple[float, Candidate]]:
    """Return the candidates with their scores, best first."""
    scored = [(_dot(weights, candidate.evidence._asdict()), candidate) for candidate in candidates]
    return sorted(scored, key=lambda pair: -pair[0])


def confidence(ranking: Sequence[tuple[float, Candidate]]) -> float:
    """Return how likely the best sentences answer the question, between 0 and 1; 0 where there are none."""
    if not ranking:
        return 0.0
    return 1 / (1 + math.exp(-_dot(CONFIDENCE, signs(ranking))))


def signs(ranking: Sequence[tuple[float, Candidate]]) -> dict[str, float]:
    """Return what the confidence is computed from: the best sentences and the chunks around them."""
    first = [candidate.evidence for _, candidate in ranking[:3]]
    return {
        "weakest": sum(one.weakest_passage for one in first) / len(first),
        "alike": first[0].alike_passage,
        "read": max(candidate.evidence.read for _, candidate in ranking),
        "read_three": sum(one.read for one in first) / len(first),
        "always": 1.0,
    }


def _dot(weights: Mapping[str, float], values: Mapping[str, float]) -> float:
    return sum(weight * values[name] for name, weight in weights.items())
