"""What speaks for a sentence as an answer: cheap measures, each about between -1 and 1."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from twin_platform.embedding.port import Embedder
from twin_platform.features.port import Vector
from twin_rag_api.passages import Line, Passage
from twin_rag_api.question import Question
from twin_rag_api.words import terms

MAX_CANDIDATES: Final = 48
"""Sentences that are embedded for one question, about 60 texts with their neighbours: 0.3 s on two cores."""

_NEARNESS: Final = (1.0, 0.8, 0.6, 0.4, 0.15)
"""What a question's word counts that stands in the sentence, before it or above it, beside, in the chunk, around."""


class Evidence(NamedTuple):
    """Measures of one sentence. Coverage is the share of the question's words, rare ones counting more."""

    pair: float
    """Cosine of the question and the sentence, alone or with the one before or after, whichever is best."""
    headed: float
    """Cosine of the question and the heading above with the sentence."""
    chunk: float
    """Cosine of question and chunk."""
    covered: float
    covered_before: float
    """With the sentence before."""
    covered_near: float
    """With both neighbours, heading and title."""
    covered_chunk: float
    nearness: float
    """Coverage where a word counts less the farther away it stands."""
    names_near: float
    """Share of the question's names and numbers."""
    untyped: float
    """1 where a number, moment or person is asked for and the sentence has none."""
    untyped_near: float
    unit: float
    """1 where a number of what is asked for stands in it, -1 where none does, 0 where it does not matter."""
    unit_near: float
    news: float
    """How many words it has beside the question's, as a logarithm."""
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


def weigh(question: Question, query: Vector, passages: Sequence[Passage], embedder: Embedder) -> list[Candidate]:
    """Return every sentence of the passages with its evidence, equal ones once, at most `MAX_CANDIDATES`."""
    places: dict[str, tuple[Passage, int]] = {}
    for passage in passages:
        for at in passage.inside:
            places.setdefault(passage.lines[at].plain, (passage, at))
    chosen = list(places.values())[:MAX_CANDIDATES]
    scales = _Scales(question, passages)
    meanings = _Meanings(query, chosen, embedder)
    return [Candidate(passage, at, _evidence(question, passage, at, scales, meanings)) for passage, at in chosen]


class _Scales:
    """How much each of the question's words weighs: more, the fewer sentences around the passages have it."""

    def __init__(self, question: Question, passages: Sequence[Passage]) -> None:
        lines = {line.plain: line.terms for passage in passages for line in passage.lines}
        frequency = Counter(term for found in lines.values() for term in found)
        heaviest = math.log(1 + 2 * (len(lines) + 1))
        self._weights = {
            term: math.log(1 + (len(lines) + 1) / (frequency[term] + 0.5)) / heaviest for term in question.terms
        }
        self._total = sum(self._weights.values()) or 1.0
        self._around = {id(passage): frozenset().union(*(line.terms for line in passage.lines)) for passage in passages}

    def around(self, passage: Passage) -> frozenset[str]:
        """Return the terms of every line of the passage."""
        return self._around[id(passage)]

    def covered(self, found: frozenset[str]) -> float:
        return sum(weight for term, weight in self._weights.items() if term in found) / self._total

    def nearness(self, rings: Sequence[frozenset[str]]) -> float:
        reached = 0.0
        for term, weight in self._weights.items():
            ring = next((factor for factor, found in zip(_NEARNESS, rings, strict=True) if term in found), 0.0)
            reached += ring * weight
        return reached / self._total


class _Meanings:
    """Cosines with the question. Of two texts together: of their mean by length, which is what the model pools."""

    def __init__(self, query: Vector, chosen: Iterable[tuple[Passage, int]], embedder: Embedder) -> None:
        texts: dict[str, int] = {"": 0}
        for passage, at in chosen:
            beside = (passage.beside(at, step) for step in (-1, 0, 1))
            for text in (*(line.plain for line in beside if line), passage.title):
                texts.setdefault(text, len(texts))
        self._rows = texts
        self._vectors = embedder.embed_documents(list(texts))
        self._query = query

    def cosine(self, *texts: str) -> float:
        mean = sum((len(text) * self._vectors[self._rows[text]] for text in texts), np.zeros_like(self._query))
        return float(mean @ self._query / (np.linalg.norm(mean) or 1.0))


def _evidence(question: Question, passage: Passage, at: int, scales: _Scales, meanings: _Meanings) -> Evidence:
    line = passage.lines[at]
    before, after, earlier = (passage.beside(at, step) for step in (-1, 1, -2))
    had, next_, long_ago = (other.terms if other else frozenset() for other in (before, after, earlier))
    above = frozenset(terms(passage.title))
    near = line.terms | had | next_ | above
    chunk = near | long_ago | passage.terms
    beside = [other.plain for other in (before, after) if other]
    typed = question.has_wanted(line.plain)
    unit = question.fits_unit(line.plain)
    return Evidence(
        pair=max([meanings.cosine(line.plain), *(meanings.cosine(line.plain, other) for other in beside)]),
        headed=meanings.cosine(passage.title, line.plain),
        chunk=passage.hit.similarity,
        covered=scales.covered(line.terms),
        covered_before=scales.covered(line.terms | had),
        covered_near=scales.covered(near),
        covered_chunk=scales.covered(chunk),
        nearness=scales.nearness((line.terms, had | above, next_ | long_ago, chunk, scales.around(passage))),
        names_near=_share(question.names, near),
        untyped=float(question.strict and typed == 0),
        untyped_near=float(question.strict and typed == 0 and not (after and question.has_wanted(after.plain))),
        unit=unit,
        unit_near=max(unit, question.fits_unit(after.plain)) if after else unit,
        news=math.log1p(len(line.terms - question.known)) / 4,
        asks=float(line.plain.endswith("?")),
        leads_in=float(line.plain.endswith((":", "↓"))),
    )


def _share(names: Sequence[str], found: frozenset[str]) -> float:
    return sum(name in found for name in names) / len(names) if names else 0.8
