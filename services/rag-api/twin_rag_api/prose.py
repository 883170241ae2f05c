"""The prose of a clean text: paragraphs and their sentences, and nothing that has another form.

Everything here takes time linear in the text, whatever stands in it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_FENCES: Final = ("```", "~~~")
_HEADING = re.compile(r"\s*(?:#|[=*_-]{3,}\s*$)")
_OTHER_FORM = re.compile(r" {4}|\t|\s*(?:>|\||!\[|<|\\?[-*+•→➝]\s|\d+\\?[.)]\s)")
"""Code, quotations, tables, pictures, HTML and lists; the lines below one belong to it."""
_ABBREVIATION: Final = "".join(
    rf"(?<!\b{short})" for short in (r"e\.g", r"i\.e", "al", "vs", "cf", "etc", "Dr", "Mr", "Mrs", "Ms", "No", "[A-Z]")
)
_END = re.compile(rf"(?<![.!?…]){_ABBREVIATION}[.!?…]++[\"'”’)\]*_]*+(?=\s+[^\sa-z]|\s*\Z|[A-Z][a-z]*+[ ,’'])")
"""Also where the space after it was lost."""
_NOISE = re.compile(r"\]\([^()\[\]\s]*\)|`[^`]*`|https?://\S+|<[^<>]*>")
"""In a sentence and no part of its wording: where links lead, code, tags."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_FEWEST_WORDS: Final = 5
"""Of a paragraph that does not end as a sentence does: a shorter one is a title or a label."""


@dataclass(frozen=True, slots=True)
class ProseSentence:
    """One sentence."""

    text: str
    """As it stands in the clean text."""
    plain: str
    """Without what is no part of its wording."""
    words: tuple[str, ...]
    """In lower case, with straight apostrophes."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph, as it stands in the clean text, and its sentences; there is at least one."""

    text: str
    sentences: tuple[ProseSentence, ...]


def paragraphs_of(text: str) -> list[Paragraph]:
    """Return the paragraphs of prose in order."""
    cut = (Paragraph(block, tuple(_sentences(block))) for block in _blocks(text.split("\n")))
    return [one for one in cut if _is_prose(one)]


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    block: list[str] = []
    fence, other = "", False
    for line in (*lines, ""):
        bare = line.strip()
        if fence:
            fence = "" if bare.startswith(fence) else fence
        elif bare.startswith(_FENCES):
            fence = bare[:3]
        elif bare and not _HEADING.match(line):
            other = other or _OTHER_FORM.match(line) is not None
            if not other:
                block.append(line)
                continue
        else:
            other = False
        if block:
            yield "\n".join(block).strip()
            block = []


def _sentences(block: str) -> Iterator[ProseSentence]:
    start = 0
    for end in (*(match.end() for match in _END.finditer(block)), len(block)):
        text = block[start:end].strip()
        start = end
        plain = _NOISE.sub(" ", text)
        words = tuple(_WORD.findall(plain.casefold().replace("’", "'")))
        if words:
            yield ProseSentence(text, plain, words)


def _is_prose(paragraph: Paragraph) -> bool:
    count = sum(len(sentence.words) for sentence in paragraph.sentences)
    return count >= _FEWEST_WORDS or (count > 0 and _END.search(paragraph.text) is not None)
