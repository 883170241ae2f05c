"""What speaks for a sentence as an answer: cheap measures, each about between -1 and 1."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from twin_platform.embedding.port import Embedder
from twin_rag_api.likeness import Likeness, Matches, TokenWeights
from twin_rag_api.passages import Line, Passage
from twin_rag_api.question import Question
from twin_rag_api.words import terms

MAX_CANDIDATES: Final = 80
"""Sentences that are embedded for one question, about 120 texts with their neighbours."""


class Evidence(NamedTuple):
    """Measures of one sentence. Coverage is the share of the question's words, rare ones counting more."""

    chunk: float
    """Cosine of question and chunk."""
    covered: float
    covered_chunk: float
    """By the chunk, its headings and the sentence's neighbours."""
    alike_before: float
    """Weighted mean match of the question's tokens by the sentence and the one before."""
    alike_near: float
    """By both neighbours and the heading, too."""
    alike_passage: float
    """By all sentences of the chunk and their neighbours."""
    weakest_passage: float
    """The question's content token that the chunk's sentences match least."""
    rarest_passage: float
    """How well they match the question's three rarest tokens."""
    names_near: float
    """Share of the question's names and numbers."""
    untyped: float
    """1 where a number, moment or person is asked for and the sentence has none."""
    untyped_near: float
    """1 where the sentence after it has none either."""
    unit_near: float
    """1 where either has what must be in an answer (`Question.fits_unit`), -1 where none has, 0 where nothing must."""
    reason: float
    """1 where a reason is asked for and it sounds like one."""
    asks: float
    """It is a question itself."""
    leads_in: float
    """It ends with a colon: what it promises comes after it."""


@dataclass(frozen=True)
class Candidate:
    """A sentence that may be quoted."""

    passage: Passage
    at: int
    evidence: Evidence

    @property
    def line(self) -> Line:
        """Return the sentence."""
        return self.passage.lines[self.at]


def weigh(question: Question, passages: Sequence[Passage], embedder: Embedder) -> list[Candidate]:
    """Return every sentence of the passages with its evidence, equal ones once, at most `MAX_CANDIDATES`."""
    places: dict[str, tuple[Passage, int]] = {}
    for passage in passages:
        for at in passage.inside:
            places.setdefault(passage.lines[at].plain, (passage, at))
    chosen = list(places.values())[:MAX_CANDIDATES]
    if not chosen:
        return []
    scales = _Scales(question, passages, chosen, embedder)
    return [Candidate(passage, at, _evidence(question, passage, at, scales)) for passage, at in chosen]


class _Scales:
    """What the question is measured by: the weight of its words, and its likeness to the texts around."""

    def __init__(
        self,
        question: Question,
        passages: Iterable[Passage],
        chosen: Sequence[tuple[Passage, int]],
        embedder: Embedder,
    ) -> None:
        self._weights = _weights(question, passages)
        self._total = sum(self._weights.values()) or 1.0
        near = [(passage, _near(passage, at)) for passage, at in chosen]
        self.likeness = Likeness(question.text, (text for _, texts in near for text in texts), embedder)
        self.tokens = TokenWeights(question.text, self.likeness.spans, self._weights)
        self._matches: dict[int, Matches] = {}
        for passage, texts in near:
            found = self.likeness.matches(texts)
            self._matches[id(passage)] = np.maximum(found, self._matches.get(id(passage), found))

    def covered(self, found: frozenset[str]) -> float:
        """Return the share of the question's words, each by its weight."""
        return sum(weight for term, weight in self._weights.items() if term in found) / self._total

    def matches(self, passage: Passage) -> Matches:
        """Return how well the passage's candidates and what is near them match the question's tokens."""
        return self._matches[id(passage)]


def _weights(question: Question, passages: Iterable[Passage]) -> Mapping[str, float]:
    """Weigh the question's words: more, the fewer sentences around the passages have them."""
    lines = {line.plain: line.terms for passage in passages for line in passage.lines}
    frequency = Counter(term for found in lines.values() for term in found)
    heaviest = math.log(1 + 2 * (len(lines) + 1))
    return {term: math.log(1 + (len(lines) + 1) / (frequency[term] + 0.5)) / heaviest for term in question.terms}


def _near(passage: Passage, at: int) -> list[str]:
    """Return the sentence, its neighbours under the same heading, and the heading."""
    beside = (passage.beside(at, step) for step in (0, -1, 1))
    return [*(line.plain for line in beside if line), *([passage.title] if passage.title else [])]


def _evidence(question: Question, passage: Passage, at: int, scales: _Scales) -> Evidence:
    line = passage.lines[at]
    before, after, earlier = (passage.beside(at, step) for step in (-1, 1, -2))
    near = line.terms.union(terms(passage.title), *(other.terms for other in (before, after) if other))
    chunk = near | passage.terms | (earlier.terms if earlier else frozenset())
    with_before = [line.plain, *([before.plain] if before else [])]
    likeness, tokens = scales.likeness, scales.tokens
    untyped = question.strict and question.has_wanted(line.plain) == 0
    unit = question.fits_unit(line.plain)
    return Evidence(
        chunk=passage.hit.similarity,
        covered=scales.covered(line.terms),
        covered_chunk=scales.covered(chunk),
        alike_before=tokens.mean(likeness.matches(with_before)),
        alike_near=tokens.mean(likeness.matches(_near(passage, at))),
        alike_passage=tokens.mean(scales.matches(passage)),
        weakest_passage=tokens.weakest(scales.matches(passage)),
        rarest_passage=tokens.rarest(scales.matches(passage)),
        names_near=_share(question.names, near),
        untyped=float(untyped),
        untyped_near=float(untyped and not (after and question.has_wanted(after.plain))),
        unit_near=max(unit, question.fits_unit(after.plain)) if after else unit,
        reason=float(question.gives_reason(line.plain)),
        asks=float(line.plain.endswith("?")),
        leads_in=float(line.plain.endswith((":", "↓"))),
    )


def _share(names: Sequence[str], found: frozenset[str]) -> float:
    return sum(name in found for name in names) / len(names) if names else 0.8
