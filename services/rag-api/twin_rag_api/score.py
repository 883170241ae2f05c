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

from twin_rag_api.evidence import Candidate, Evidence
from twin_rag_api.question import Question

RANKING: Final[Mapping[str, float]] = {
    "chunk": 5.880,
    "covered": 1.868,
    "covered_chunk": 3.454,
    "alike_before": 3.712,
    "alike_near": 9.530,
    "untyped": -3.196,
    "unit_near": 1.365,
    "reason": 2.695,
    "asks": -2.868,
    "leads_in": -2.203,
}
"""Weights of `Evidence`; only their differences between sentences matter."""

CONFIDENCE: Final[Mapping[str, float]] = {
    "weakest": 2.777,
    "rarest": 3.355,
    "alike": 5.093,
    "best_names": 1.771,
    "names": -2.209,
    "terms": 3.269,
    "unfit": -1.497,
    "always": -9.455,
}
"""Weights of `signs`."""

THRESHOLD: Final = 0.37
"""Below this confidence the answerer refuses: nine in ten questions that no text answers.

On folds of other documents than the weights were fitted on, 190 of 209 unanswerable questions were refused, and 154 of
211 answerable ones, 30 paraphrases among them, were answered with quotes that hold exactly the expected words. The
measures were chosen on the same questions.
"""


def ranked(candidates: Sequence[Candidate], weights: Mapping[str, float] = RANKING) -> list[tuple[float, Candidate]]:
    """Return the candidates with their scores, best first."""
    scored = [(_dot(weights, candidate.evidence._asdict()), candidate) for candidate in candidates]
    return sorted(scored, key=lambda pair: -pair[0])


def confidence(question: Question, ranking: Sequence[tuple[float, Candidate]]) -> float:
    """Return how likely the best sentences answer the question, between 0 and 1; 0 where there are none."""
    if not ranking:
        return 0.0
    return 1 / (1 + math.exp(-_dot(CONFIDENCE, signs(question, ranking))))


def signs(question: Question, ranking: Sequence[tuple[float, Candidate]]) -> dict[str, float]:
    """Return what the confidence is computed from: the best sentences and the chunks around them."""
    found = [candidate.evidence for _, candidate in ranking]
    best, first = found[0], found[:3]
    return {
        "weakest": sum(one.weakest_passage for one in first) / len(first),
        "rarest": best.rarest_passage * _suits(best),
        "alike": best.alike_passage,
        "best_names": max(one.names_near for one in found),
        "names": len(question.names) / 5,
        "terms": len(question.terms) / 10,
        "unfit": float(all(one.unit_near < 0 for one in first)),
        "always": 1.0,
    }


def _suits(evidence: Evidence) -> float:
    """Return how much a match counts: less where the wanted kind of word, or its unit, is missing."""
    return (1 - 0.6 * evidence.untyped_near) * (1 - 0.3 * (evidence.unit_near < 0))


def _dot(weights: Mapping[str, float], values: Mapping[str, float]) -> float:
    return sum(weight * values[name] for name, weight in weights.items())
