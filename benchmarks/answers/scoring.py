"""Counting right answers and right refusals; README.md beside this file says by which rule."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from benchmarks.answers.text import holds_one_of, sentence_pairs, shared_runs, stands_in
from twin_contracts.chat import ChatCompletion, Citation
from twin_contracts.documents import document_id_of


class Split(StrEnum):
    """Which half a question belongs to."""

    CALIBRATION = "calibration"
    HELD_OUT = "held-out"


class Article(BaseModel, frozen=True):
    """As much of a crawled article as counting needs."""

    link: str
    content: str


class Question(BaseModel, frozen=True, extra="forbid"):
    """One question; README.md beside the file says what the fields mean."""

    id: str
    question: str
    split: Split
    documents: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    articles_say: str | None = None

    @property
    def answerable(self) -> bool:
        """An answer is expected; otherwise a refusal is."""
        return bool(self.documents)


class Questions(BaseModel, frozen=True, extra="forbid"):
    """The three sets."""

    answerable: tuple[Question, ...]
    unanswerable: tuple[Question, ...]
    paraphrase: tuple[Question, ...]

    def half(self, split: Split) -> "Questions":
        """Return one half of each set; fitting an answerer asks the calibration half alone."""
        return Questions(
            answerable=tuple(q for q in self.answerable if q.split is split),
            unanswerable=tuple(q for q in self.unanswerable if q.split is split),
            paraphrase=tuple(q for q in self.paraphrase if q.split is split),
        )


@dataclass(frozen=True)
class Row:
    """What came back for one question."""

    question: Question
    answered: bool
    confidence: float | None
    quotes: tuple[str, ...]
    has_words: bool
    cites_document: bool
    verbatim: bool
    """Every quote stands in the article that its citation names; false where an answer quotes nothing."""

    @property
    def right(self) -> bool:
        """An answer with the expected words from an accepted document, or a refusal where nothing answers."""
        if not self.question.answerable:
            return not self.answered
        return self.answered and self.has_words and self.cites_document


@dataclass(frozen=True)
class Count:
    """How many rows of a set have the property that was counted."""

    counted: int
    of: int


@dataclass(frozen=True)
class Report:
    """One row per question, in the order of the file."""

    answerable: tuple[Row, ...]
    unanswerable: tuple[Row, ...]
    paraphrase: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows."""
        return self.answerable + self.unanswerable + self.paraphrase

    @property
    def not_verbatim(self) -> Count:
        """How many answers quote something that does not stand in the document they cite."""
        answers = [row for row in self.rows if row.answered]
        return Count(sum(not row.verbatim for row in answers), len(answers))


def count(rows: Iterable[Row], split: Split | None = None) -> Count:
    """Count the right rows of one half, or of all rows where no half is named."""
    chosen = [row for row in rows if split is None or row.question.split is split]
    return Count(sum(row.right for row in chosen), len(chosen))


def evaluate(ask: Callable[[str], ChatCompletion], articles: Sequence[Article], questions: Questions) -> Report:
    """Ask every question once, in order, and compare each answer with the articles."""
    by_id = {document_id_of(article.link): article for article in articles}

    def rows(asked: tuple[Question, ...]) -> tuple[Row, ...]:
        return tuple(_row(question, ask(question.question), by_id) for question in asked)

    return Report(rows(questions.answerable), rows(questions.unanswerable), rows(questions.paraphrase))


def flaws(articles: Sequence[Article], questions: Questions) -> list[str]:
    """Say in which points the questions do not fit the articles; empty where they do."""
    contents = {article.link: article.content for article in articles}
    named = [(q, link) for q in questions.answerable + questions.paraphrase for link in q.documents]
    absent = [f"{q.id}: {link} is not among the articles" for q, link in named if link not in contents]
    wordless = [
        f"{q.id}: no two consecutive sentences of {link} hold the words {q.words}"
        for q, link in named
        if link in contents and not any(holds_one_of(pair, q.words) for pair in sentence_pairs(contents[link]))
    ]
    copied = [
        f"{q.id}: shares {sorted(runs)} with {link}"
        for q, link in named
        if q in questions.paraphrase and (runs := shared_runs(q.question, contents.get(link, "")))
    ]
    return absent + wordless + copied


def _row(question: Question, completion: ChatCompletion, by_id: dict[str, Article]) -> Row:
    answer = completion.twin
    quotes = tuple(citation.quote for citation in answer.citations)
    accepted = {document_id_of(link) for link in question.documents}
    return Row(
        question=question,
        answered=answer.answered,
        confidence=answer.confidence,
        quotes=quotes,
        has_words=holds_one_of(" ".join(quotes), question.words),
        cites_document=any(citation.document_id in accepted for citation in answer.citations),
        verbatim=bool(quotes) and all(_is_verbatim(citation, by_id) for citation in answer.citations),
    )


def _is_verbatim(citation: Citation, by_id: dict[str, Article]) -> bool:
    article = by_id.get(citation.document_id)
    return article is not None and stands_in(citation.quote, article.content)
