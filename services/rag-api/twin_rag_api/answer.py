"""The extractive answerer: a question in, at most three verbatim sentences out, or a refusal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twin_contracts.http import SearchFilters
from twin_platform.embedding.port import Embedder
from twin_platform.features.port import FeatureStore
from twin_platform.reading.port import Reader
from twin_rag_api.evidence import Candidate, weigh
from twin_rag_api.passages import Passage, read_passages
from twin_rag_api.question import read_question
from twin_rag_api.retrieve import Retriever
from twin_rag_api.score import THRESHOLD, confidence, ranked

MAX_QUOTES: Final = 3
MAX_QUESTION: Final = 2000
"""Code points of a turn that are read, its last ones: what is pasted comes before what is asked."""

_CHUNKS: Final = 15


@dataclass(frozen=True)
class Quote:
    """A sentence of a document in force, exactly as it stands in the clean text."""

    text: str
    passage: Passage


@dataclass(frozen=True)
class Answer:
    """At most three quotes; none where nothing answers the question with enough confidence."""

    quotes: tuple[Quote, ...]
    confidence: float


@dataclass(frozen=True)
class Answerer:
    """Answers from the documents' own sentences. Their text is only measured and quoted, never followed."""

    features: FeatureStore
    embedder: Embedder
    reader: Reader

    def __call__(self, asked: str, previous: str, filters: SearchFilters) -> Answer:
        """Return the answer to `asked`; `previous` is what the user asked before, or empty.

        Chunks are searched for by both. A question that points back ("and how long does it take?") is also measured
        with what it points to.
        """
        ranking = ranked(self.candidates(asked[-MAX_QUESTION:], previous[-MAX_QUESTION:], filters))
        sure = confidence(ranking)
        return Answer(quotes_of([candidate for _, candidate in ranking]) if sure >= THRESHOLD else (), sure)

    def candidates(self, asked: str, previous: str, filters: SearchFilters) -> list[Candidate]:
        """Return every sentence that might answer."""
        joined = f"{previous}\n{asked}" if previous else asked
        hits = Retriever(self.features, self.embedder)(joined, _CHUNKS, filters)
        question = read_question(asked, previous)
        return weigh(question, read_passages(self.features, hits), self.embedder, self.reader)


def quotes_of(candidates: Sequence[Candidate]) -> tuple[Quote, ...]:
    """Return what is quoted of ranked candidates; a sentence that leads in brings what comes after it."""
    quotes: list[Quote] = []
    for candidate in candidates:
        steps = (0, 1, 2) if candidate.evidence.leads_in else (0,)
        lines = [line for line in (candidate.passage.beside(candidate.at, step) for step in steps) if line]
        for line in lines:
            if line.sentence.text not in [quote.text for quote in quotes]:
                quotes.append(Quote(line.sentence.text, candidate.passage))
        if len(quotes) >= MAX_QUOTES:
            break
    return tuple(quotes[:MAX_QUOTES])
