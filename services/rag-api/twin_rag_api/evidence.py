"""What speaks for a sentence as an answer: what the reader says, and how like the question it and its chunk are."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from twin_platform.embedding.port import Embedder
from twin_platform.reading.port import Excerpt, Reader
from twin_rag_api.likeness import Likeness, Matches, TokenWeights
from twin_rag_api.passages import Line, Passage
from twin_rag_api.question import Question

MAX_CANDIDATES: Final = 80
"""Sentences that are embedded for one question, about 120 texts with their neighbours."""


class Evidence(NamedTuple):
    """Measures of one sentence."""

    read: float
    """What the reader says of the sentence where it stands: the logarithm of the odds that it answers."""
    alike_near: float
    """Weighted mean match of the question's tokens by the sentence, its neighbours and the heading."""
    alike_passage: float
    """By all sentences of the chunk and their neighbours."""
    weakest_passage: float
    """The question's content token that the chunk's sentences match least."""
    leads_in: bool
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


def weigh(question: Question, passages: Sequence[Passage], embedder: Embedder, reader: Reader) -> list[Candidate]:
    """Return every sentence of the passages with its evidence, equal ones once, at most `MAX_CANDIDATES`."""
    places: dict[str, tuple[Passage, int]] = {}
    for passage in passages:
        for at in passage.inside:
            places.setdefault(passage.lines[at].plain, (passage, at))
    chosen = list(places.values())[:MAX_CANDIDATES]
    if not chosen:
        return []
    read = _read(question, chosen, reader)
    scales = _Scales(question, passages, chosen, embedder)
    return [
        Candidate(passage, at, _evidence(passage, at, score, scales))
        for (passage, at), score in zip(chosen, read, strict=True)
    ]


def _read(question: Question, chosen: Sequence[tuple[Passage, int]], reader: Reader) -> list[float]:
    """Return the reader's score of each sentence; it reads the sentence on either side of a chunk, too."""
    excerpts: list[Excerpt] = []
    places: list[list[tuple[int, int]]] = []
    for key, passage in {id(passage): passage for passage, _ in chosen}.items():
        around = range(max(0, passage.inside.start - 1), min(len(passage.lines), passage.inside.stop + 1))
        for heading, under in groupby(around, key=lambda at: passage.lines[at].sentence.heading):
            lines = list(under)
            excerpts.append(Excerpt(heading or passage.title, tuple(passage.lines[at].plain for at in lines)))
            places.append([(key, at) for at in lines])
    read = zip(places, reader.read(question.text, excerpts), strict=True)
    scores = {place: float(score) for there, found in read for place, score in zip(there, found, strict=True)}
    return [scores[id(passage), at] for passage, at in chosen]


class _Scales:
    """What the question is measured by: the weight of its words, and its likeness to the texts around."""

    def __init__(
        self,
        question: Question,
        passages: Iterable[Passage],
        chosen: Sequence[tuple[Passage, int]],
        embedder: Embedder,
    ) -> None:
        near = [(passage, _near(passage, at)) for passage, at in chosen]
        self.likeness = Likeness(question.text, (text for _, texts in near for text in texts), embedder)
        self.tokens = TokenWeights(question.text, self.likeness.spans, _weights(question, passages))
        self._matches: dict[int, Matches] = {}
        for passage, texts in near:
            found = self.likeness.matches(texts)
            self._matches[id(passage)] = np.maximum(found, self._matches.get(id(passage), found))

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


def _evidence(passage: Passage, at: int, read: float, scales: _Scales) -> Evidence:
    tokens, passage_matches = scales.tokens, scales.matches(passage)
    return Evidence(
        read=read,
        alike_near=tokens.mean(scales.likeness.matches(_near(passage, at))),
        alike_passage=tokens.mean(passage_matches),
        weakest_passage=tokens.weakest(passage_matches),
        leads_in=passage.lines[at].plain.endswith((":", "↓")),
    )
