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
    "pair": 0.718,
    "headed": 3.258,
    "chunk": 3.205,
    "covered": 0.821,
    "covered_before": 2.366,
    "covered_near": 1.463,
    "covered_chunk": 1.635,
    "nearness": 2.484,
    "untyped": -1.446,
    "untyped_near": -1.208,
    "unit": 0.569,
    "unit_near": 0.629,
    "news": 0.836,
    "asks": -1.053,
    "leads_in": -1.310,
}
"""Weights of `Evidence`; only their differences between sentences matter."""

CONFIDENCE: Final[Mapping[str, float]] = {
    "covered_near": 1.377,
    "covered_chunk": 1.806,
    "names_near": 1.043,
    "pair": 2.292,
    "unit_near": 0.440,
    "fit": 1.778,
    "best_fit": 1.657,
    "best_pair": 2.991,
    "terms": 1.184,
    "always": -9.358,
}
"""Weights of `signs`."""

THRESHOLD: Final = 0.39
"""Below this confidence the answerer refuses: nine in ten questions that no text answers.

On folds that the weights were not fitted on, 125 of 139 unanswerable questions were refused, and 92 of 128 answerable
ones were answered with quotes that hold exactly the expected words. The measures were chosen on the same questions.
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
    """Return what the confidence is computed from: the best sentence, and the best that any sentence has."""
    best = ranking[0][1].evidence
    found = [candidate.evidence for _, candidate in ranking]
    return {
        "covered_near": best.covered_near,
        "covered_chunk": best.covered_chunk,
        "names_near": best.names_near,
        "pair": best.pair,
        "unit_near": best.unit_near,
        "fit": best.nearness * _suits(best),
        "best_fit": max(one.covered_near * _suits(one) for one in found),
        "best_pair": max(one.pair for one in found),
        "terms": len(question.terms) / 10,
        "always": 1.0,
    }


def _suits(evidence: Evidence) -> float:
    """Return how much coverage counts: less where the wanted kind of word, or its unit, is missing."""
    return (1 - 0.6 * evidence.untyped_near) * (1 - 0.3 * (evidence.unit_near < 0))


def _dot(weights: Mapping[str, float], values: Mapping[str, float]) -> float:
    return sum(weight * values[name] for name, weight in weights.items())
