"""Retrieved chunks in the clean texts around them, cut into sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.features.port import FeatureHit, FeatureStore
from twin_rag_api.sentences import Sentence, sentences_of
from twin_rag_api.words import plain, terms

REACH: Final = 4000
"""Code points around a chunk in which a sentence's neighbours are looked for; bounds the work for a huge document."""


@dataclass(frozen=True)
class Line:
    """A sentence with what it is compared by; `sentence` counts from the start of the passage's text."""

    sentence: Sentence
    plain: str
    terms: frozenset[str]


@dataclass(frozen=True)
class Passage:
    """A chunk in force and the lines around it; `inside` are those that the chunk touches."""

    record: DocumentRecord
    hit: FeatureHit
    title: str
    lines: tuple[Line, ...]
    inside: range

    def beside(self, at: int, step: int) -> Line | None:
        """Return the line `step` away from line `at`, if it stands under the same heading."""
        there = at + step
        if not 0 <= there < len(self.lines):
            return None
        line = self.lines[there]
        return line if line.sentence.heading == self.lines[at].sentence.heading else None


def read_passages(features: FeatureStore, hits: Sequence[FeatureHit]) -> list[Passage]:
    """Return the hits' passages, read from the records as they are now.

    A chunk whose document was deleted or changed since the search has none.
    """
    records = features.records(list(dict.fromkeys(hit.payload.document_id for hit in hits)))
    found = []
    for hit in hits:
        record = records.get(hit.payload.document_id)
        if record is not None and record.status is RecordStatus.INDEXED and record.revision == hit.payload.revision:
            passage = _passage(record, hit)
            found += [passage] if passage else []
    return found


def _passage(record: DocumentRecord, hit: FeatureHit) -> Passage | None:
    text = record.text or ""
    place = text.find(hit.payload.text)
    if place < 0:
        return None
    end = place + len(hit.payload.text)
    start = max(0, place - REACH)
    lines = tuple(_line(sentence) for sentence in sentences_of(text[start : end + REACH]))
    touched = [
        at for at, line in enumerate(lines) if line.sentence.start < end - start and line.sentence.end > place - start
    ]
    if not touched:
        return None
    title = " > ".join(hit.payload.heading_path) or hit.payload.metadata.title or ""
    return Passage(record, hit, plain(title), lines, range(touched[0], touched[-1] + 1))


def _line(sentence: Sentence) -> Line:
    words = plain(sentence.text)
    return Line(sentence, words, frozenset(terms(words)))
