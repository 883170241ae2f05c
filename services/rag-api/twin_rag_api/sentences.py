"""A clean text cut into sentences that can be quoted as they stand; in time linear in the text, whatever it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_SENTENCE: Final = 500
"""Code points; a longer run without an end is cut at white space, so that a quote stays readable."""

_FENCE = re.compile(
    r"^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*\n.*?(?:^[ ]{0,3}(?P=fence)[^\n]*$|\Z)", re.MULTILINE | re.DOTALL
)
_PARAGRAPH = re.compile(r"^[^\S\n]*+\S[^\n]*+(?:\n[^\S\n]*+\S[^\n]*+)*+", re.MULTILINE)
_LINE = re.compile(r"[^\n]+")
_ITEM = re.compile(r"[ \t]*(?:[-*+•➝↳→>|]|\\[-*+]|\d+\\?[.)])[ \t]")
_INDENTED = re.compile(r"[ ]{4}|\t")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]")
_ABBREVIATION = "".join(
    rf"(?<!\b{short})" for short in (r"e\.g", r"i\.e", "al", "vs", "cf", "etc", "Dr", "Mr", "Mrs", "Ms", "Fig", "No")
)
_SENTENCE_END = re.compile(  # also where the space after it is lost
    rf"(?<![.\s]\w)(?<!\d)(?<![.!?…]{{2}}){_ABBREVIATION}[.!?…]++[\"'”’)\]*_]*+(?=\s|[A-Z][a-z]*+[ ,’']|\Z)"
    r"|(?<=\d)[.!?…]++[\"'”’)\]*_]*+(?=\s\W*+[A-Z]|\Z)"  # after a digit it may be a number's own
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch `text[start:end]` of a clean text, and the heading it stands under."""

    start: int
    end: int
    text: str
    heading: str


def sentences_of(text: str) -> list[Sentence]:
    """Return the sentences of `text` in order, list items and lines of their own counted as such.

    Headings and code are left out: neither answers anything. `text[s.start:s.end] == s.text` for each of them.
    """
    found: list[Sentence] = []
    heading = ""
    for start, end in _blocks(text):
        mark = _HEADING.match(text, start, end)
        if mark:
            heading = text[mark.end() : end].strip(" \t").rstrip(" \t#")
            continue
        found += [Sentence(a, b, text[a:b], heading) for a, b in _cut(text, start, end)]
    return found


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield what a sentence cannot reach beyond: paragraphs, list items, headings, lines that were not wrapped."""
    position = 0
    for fence in (*_FENCE.finditer(text), None):
        for paragraph in _PARAGRAPH.finditer(text, position, fence.start() if fence else len(text)):
            if not _INDENTED.match(paragraph[0]) or _ITEM.match(paragraph[0]):
                yield from _unwrapped(text, *paragraph.span())
        position = fence.end() if fence else position


def _unwrapped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Join lines that were wrapped at some width: those into which the next line's first word did not fit."""
    lines = [match.span() for match in _LINE.finditer(text, start, end)]
    width = max(b - a for a, b in lines)
    begin, last = lines[0]
    for a, b in lines[1:]:
        first_word = text[a:b].split(maxsplit=1)[0]
        fits = last - text.rfind("\n", 0, last) + len(first_word) <= width
        if fits or _ITEM.match(text, a, b) or _HEADING.match(text, a, b) or _HEADING.match(text, begin, last):
            yield begin, last
            begin = a
        last = b
    yield begin, last


def _cut(text: str, start: int, end: int) -> list[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    unread = start
    for stop in [match.end() for match in _SENTENCE_END.finditer(text, start, end)] + [end]:
        since, unread = unread, stop
        if stop < end and not any(map(str.isalpha, text[since:stop])):
            continue  # the number of a list item
        while stop - start > MAX_SENTENCE:
            at = max(text.rfind(blank, start + 1, start + MAX_SENTENCE) for blank in " \n")
            at = at if at > start else start + MAX_SENTENCE
            cuts.append((start, at))
            start = at
        cuts.append((start, stop))
        start = stop
    stripped = [_strip(text, a, b) for a, b in cuts]
    return [(a, b) for a, b in stripped if any(map(str.isalpha, text[a:b]))]


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip())
