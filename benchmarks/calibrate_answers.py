"""Fit the answerer's weights and print them as `twin_rag_api/score.py` holds them.

The argument is the data folder of a stopped system that has imported the real articles. Questions come from
`calibration.json` and from the calibration half of `questions.json`; of the held-out half nothing is kept when reading.
The threshold comes from predictions of folds that the weights were not fitted on; questions for which the same document
is found first are in one fold, so that no weight has seen a near copy of what it is judged by.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.answers.text import holds_one_of
from twin_contracts.embedding import MINILM
from twin_contracts.http import SearchFilters
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.features.open import open_feature_store
from twin_platform.reading.open import open_reader
from twin_rag_api.answer import Answerer, quotes_of
from twin_rag_api.evidence import Candidate
from twin_rag_api.score import RANKING, ranked, signs

FOLDER = Path(__file__).parent / "answers"
FOLDS = 10
RANKING_STRENGTH = 3.0
CONFIDENCE_STRENGTH = 15.0
"""L2 penalties on standardised measures."""
REFUSED = 0.91
"""Share of unanswerable questions that the threshold refuses."""

Array = NDArray[np.float64]
Words = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Sample:
    """A question with its candidates; `words` is None where nothing answers it."""

    candidates: list[Candidate]
    words: Words | None

    def labels(self) -> Array:
        """Return 1 for the sentences that hold the answer's words; those that need the next one only if none does."""
        if self.words is None:
            return np.zeros(len(self.candidates))
        alone = [holds_one_of(one.line.sentence.text, self.words) for one in self.candidates]
        pairs = [holds_one_of(_with_next(one), self.words) for one in self.candidates]
        return np.array(alone if any(alone) else pairs, float)

    def is_right(self, ranking: Sequence[tuple[float, Candidate]]) -> bool:
        """Return whether the quotes would hold the answer's words."""
        quotes = quotes_of([candidate for _, candidate in ranking])
        return self.words is not None and holds_one_of("\n".join(quote.text for quote in quotes), self.words)


def _with_next(candidate: Candidate) -> str:
    after = candidate.passage.beside(candidate.at, 1)
    return candidate.line.sentence.text + ("\n" + after.sentence.text if after else "")


def read_questions() -> list[tuple[str, Words | None]]:
    """Return the questions that weights may be fitted on."""
    sets = json.loads((FOLDER / "questions.json").read_text("utf-8"))
    given = [q for name in sets for q in sets[name] if q["split"] == "calibration"]
    given += json.loads((FOLDER / "calibration.json").read_text("utf-8"))
    return [(q["question"], tuple(tuple(words) for words in q["words"]) if q.get("words") else None) for q in given]


def fit_ranking(samples: Sequence[Sample]) -> dict[str, float]:
    """Softmax regression over each question's candidates, by plain gradient descent on standardised measures."""
    usable = [(_measures(one), one.labels()) for one in samples if one.labels().any()]
    spread = np.vstack([measures for measures, _ in usable]).std(0) + 1e-6
    weights = np.zeros(len(RANKING))
    for _ in range(1000):
        slope = RANKING_STRENGTH * weights / len(usable)
        for measures, labels in usable:
            scaled = measures / spread
            chance = _softmax(scaled @ weights)
            wanted = chance * labels / max(float(chance @ labels), 1e-12)
            slope += scaled.T @ (chance - wanted) / len(usable)
        weights -= 0.3 * slope
    return dict(zip(RANKING, (weights / spread).tolist(), strict=True))


def fit_confidence(samples: Sequence[Sample], ranking: dict[str, float]) -> dict[str, float]:
    """Logistic regression by Newton's method; an answerable question with other words quoted counts a third."""
    rankings = [ranked(one.candidates, ranking) for one in samples]
    rows = [signs(ranking_of) for ranking_of in rankings]
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    right = np.array([one.is_right(ranking_of) for one, ranking_of in zip(samples, rankings, strict=True)], float)
    counts = np.array([1.0 if good or one.words is None else 0.3 for one, good in zip(samples, right, strict=True)])
    centre, spread = values.mean(0), values.std(0)
    centre[-1], spread[-1] = 0.0, 1.0  # `always`, the intercept
    scaled = (values - centre) / (spread + 1e-9)
    penalty = np.diag([CONFIDENCE_STRENGTH] * (len(names) - 1) + [1e-6])
    weights = np.zeros(len(names))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (counts * (chance - right)) + penalty @ weights
        curve = (scaled * (counts * chance * (1 - chance))[:, None]).T @ scaled + penalty
        weights -= np.linalg.solve(curve, slope)
    raw = weights / (spread + 1e-9)
    raw[-1] = weights[-1] - centre @ raw
    return dict(zip(names, raw.tolist(), strict=True))


def cross_validate(samples: Sequence[Sample]) -> tuple[Array, NDArray[np.bool_]]:
    """Return each sample's confidence and rightness by weights that it was not fitted on."""
    sure, right = np.zeros(len(samples)), np.zeros(len(samples), bool)
    found = [one.candidates[0].passage.record.document_id if one.candidates else "" for one in samples]
    documents = np.random.default_rng(0).permutation(sorted(set(found))).tolist()
    for fold in range(FOLDS):
        left_out = {at for at, document in enumerate(found) if document in documents[fold::FOLDS]}
        fitted = [one for at, one in enumerate(samples) if at not in left_out]
        ranking = fit_ranking(fitted)
        confidence = fit_confidence(fitted, ranking)
        for at in left_out:
            ranking_of = ranked(samples[at].candidates, ranking)
            values = signs(ranking_of)
            sure[at] = 1 / (1 + np.exp(-sum(confidence[name] * value for name, value in values.items())))
            right[at] = samples[at].is_right(ranking_of)
    return sure, right


def main() -> int:
    """Print the weights, the threshold and what they reach on folds left out."""
    embedder = open_embedder(EmbeddingSettings(), print)
    with open_feature_store(f"edge://{Path(sys.argv[1]).resolve()}/vectors", MINILM) as features:
        answerer = Answerer(features, embedder, open_reader(EmbeddingSettings(), print))
        samples = [Sample(answerer.candidates(asked, "", SearchFilters()), words) for asked, words in read_questions()]
    sure, right = cross_validate(samples)
    answerable = np.array([one.words is not None for one in samples])
    threshold = float(np.quantile(sure[~answerable], REFUSED))
    ranking = fit_ranking(samples)
    for name, weights in (("RANKING", ranking), ("CONFIDENCE", fit_confidence(samples, ranking))):
        print(f"{name} = {{")
        print("".join(f'    "{measure}": {weight:.3f},\n' for measure, weight in weights.items()), end="}\n")
    print(f"THRESHOLD = {threshold:.2f}")
    answered = sure >= threshold
    print(f"{(right & answered)[answerable].sum()} of {answerable.sum()} answered with the right words")
    print(f"{(~answered)[~answerable].sum()} of {(~answerable).sum()} refused")
    return 0


def _measures(sample: Sample) -> Array:
    return np.array([[getattr(one.evidence, name) for name in RANKING] for one in sample.candidates], float)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum(), float)


if __name__ == "__main__":
    sys.exit(main())
