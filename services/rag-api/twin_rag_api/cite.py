"""A model's reply checked against the passages it was given: what it cites, and what nothing backs."""

import re
from collections.abc import Sequence
from typing import Final

from twin_contracts.chat import AssistantMessage, Span, TwinAnswer
from twin_platform.features.port import FeatureHit
from twin_rag_api.compose import REFUSAL, Composed, annotation, citation
from twin_rag_api.marks import MARK, MarkReader, marks_in_json
from twin_rag_api.sentences import sentences_of

UNSOURCED: Final = "\n\n[Nothing in these texts is cited for this.]"
"""Ends an answer that cites nothing at all, since many chat pages show its text alone."""

_LEADING_MARKS: Final = re.compile(rf"(?:\s*{MARK.pattern})*\s*")
_NO_CLAIM: Final = (":", "?")


class CitedReply:
    """Takes a reply in pieces and gives them on with marks of no passage dropped; at the end says what it cites.

    A reply in JSON is given on as it comes: it is for a program, and a dropped mark might break it.
    """

    def __init__(self, passages: Sequence[FeatureHit], base_url: str, *, is_json: bool) -> None:
        self._passages = passages
        self._base_url = base_url
        self._is_json = is_json
        self._reader = MarkReader(lambda number: 1 <= number <= len(passages))
        self._text = ""

    def feed(self, piece: str) -> str:
        """Return the next of the text."""
        said = piece if self._is_json else self._reader.feed(piece)
        self._text += said
        return said

    def end(self) -> str:
        """Return the last of the text."""
        said = "" if self._is_json else self._reader.end()
        self._text += said
        if not self._is_json and not self._refuses and not self._marks:
            said += UNSOURCED
            self._text += UNSOURCED
        return said

    def composed(self, model: str, skipped: Sequence[str]) -> Composed:
        """Return the whole message with its annotations, and what is known about it; once `end` was called."""
        if self._refuses:
            refused = TwinAnswer(answered=False, answered_by=model, skipped=tuple(skipped))
            return Composed(AssistantMessage(content=self._text), refused)
        marks = self._marks
        cited = sorted({number for number, _ in marks})
        annotations = tuple(
            annotation(self._passages[number - 1].payload, place, len(f"[{number}]"), self._base_url)
            for number, place in marks
        )
        twin = TwinAnswer(
            answered=True,
            answered_by=model,
            citations=tuple(
                citation(number, self._passages[number - 1], self._passages[number - 1].payload.text)
                for number in cited
            ),
            unsourced=() if self._is_json else unsourced(self._text.removesuffix(UNSOURCED)),
            skipped=tuple(skipped),
        )
        return Composed(AssistantMessage(content=self._text, annotations=annotations), twin)

    @property
    def _marks(self) -> Sequence[tuple[int, int]]:
        return marks_in_json(self._text, len(self._passages)) if self._is_json else self._reader.marks

    @property
    def _refuses(self) -> bool:
        """Whether the model said that it cannot answer; where it goes on and cites, it did."""
        return self._text.strip().startswith(REFUSAL.rstrip(".")) and not self._marks


def unsourced(text: str) -> tuple[Span, ...]:
    """Return the sentences without a mark, neither in them nor right after them.

    A question, or a sentence that ends with a colon, claims nothing; headings and code are no sentences.
    """
    sentences = sentences_of(text)
    spans: list[Span] = []
    for at, sentence in enumerate(sentences):
        start = _leading(sentence.text)
        claim = sentence.text[start:]
        after = sentences[at + 1].text if at + 1 < len(sentences) else ""
        marked = MARK.search(claim) or MARK.search(after[: _leading(after)])
        if re.search(r"\w", claim) and not marked and not claim.rstrip().endswith(_NO_CLAIM):
            spans.append(Span(start_index=sentence.start + start, end_index=sentence.end))
    return tuple(spans)


def _leading(text: str) -> int:
    match = _LEADING_MARKS.match(text)
    return match.end() if match else 0
