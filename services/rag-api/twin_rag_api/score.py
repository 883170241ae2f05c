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
from twin_rag_api.question import Question

RANKING: Final[Mapping[str, float]] = {
    "own": -0.236,
    "pair": 1.625,
    "headed": 3.335,
    "chunk": 3.033,
    "rank": -0.321,
    "covered": 1.020,
    "covered_before": 2.617,
    "covered_near": 1.396,
    "covered_chunk": 1.094,
    "covered_around": 0.628,
    "nearness": 2.537,
    "gap_near": 0.496,
    "gap_chunk": -0.735,
    "gap_around": -0.098,
    "names_near": -0.502,
    "untyped": -1.162,
    "untyped_near": -1.009,
    "unit": 0.583,
    "unit_near": 0.639,
    "reason": -0.379,
    "defines": 1.665,
    "news": 1.310,
    "asks": -0.862,
    "leads_in": -1.345,
    "listed": 0.443,
}
"""Weights of `Evidence`; only their differences between sentences matter."""

CONFIDENCE: Final[Mapping[str, float]] = {
    "score": 0.156,
    "covered_near": 1.681,
    "pair": 1.900,
    "untyped_near": 0.085,
    "unit_near": 0.276,
    "fit": 1.813,
    "best_fit": 1.742,
    "best_pair": 2.522,
    "best_chunk": 0.549,
    "terms": 1.081,
    "strict": -0.038,
    "always": -8.837,
}
"""Weights of `signs`."""

THRESHOLD: Final = 0.40
"""Below this confidence the answerer refuses; chosen so that one in ten unanswerable questions is answered."""


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
    """Return what the confidence is computed from: the best sentence, and the best that any sentence has."""
    score, best = ranking[0]
    found = [candidate.evidence for _, candidate in ranking]
    evidence = best.evidence
    return {
        "score": score,
        "covered_near": evidence.covered_near,
        "pair": evidence.pair,
        "untyped_near": evidence.untyped_near,
        "unit_near": evidence.unit_near,
        "fit": evidence.nearness * _suits(evidence.untyped_near, evidence.unit_near),
        "best_fit": max(one.covered_near * _suits(one.untyped_near, one.unit_near) for one in found),
        "best_pair": max(one.pair for one in found),
        "best_chunk": max(one.chunk for one in found),
        "terms": len(question.terms) / 10,
        "strict": float(question.strict),
        "always": 1.0,
    }


def _suits(untyped: float, unit: float) -> float:
    """Return how much coverage counts where the wanted kind of word, or its unit, is missing."""
    return (1 - 0.6 * untyped) * (1 - 0.3 * (unit < 0))


def _dot(weights: Mapping[str, float], values: Mapping[str, float]) -> float:
    return sum(weight * values[name] for name, weight in weights.items())
