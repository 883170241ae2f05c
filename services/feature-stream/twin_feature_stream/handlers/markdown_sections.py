"""The sections of a Markdown text: what stands between one heading and the next."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")
_MARKS = frozenset("#=-`~")
"""What every line begins with, but for blanks, that is a heading, underlines one or opens a fence."""
_NO_PARAGRAPH = re.compile(r"\s*(?:[-*+>|#]|\d+[.)]|$)| {4}|\t")


class Section(NamedTuple):
    """`text[start:end]` begins with its heading's line; `path` holds its heading and those above it."""

    start: int
    end: int
    path: tuple[str, ...]


class _Heading(NamedTuple):
    start: int
    body: int
    depth: int
    title: str


def sections(text: str) -> list[Section]:
    """Return the sections in order; together they are the whole text.

    A heading without a text of its own belongs to the section after it: alone it would answer nothing.
    """
    found: list[Section] = []
    above: list[_Heading] = []
    start = body = 0
    for heading in [*_headings(text), _Heading(len(text), len(text), 0, "")]:
        if text[body : heading.start].strip() or (heading.depth == 0 and start < len(text)):
            found.append(Section(start, heading.start, tuple(each.title for each in above)))
            start = heading.start
        above = [each for each in above if each.depth < heading.depth] + [heading]
        body = heading.body
    return found


def _headings(text: str) -> Iterator[_Heading]:
    """Yield ATX headings and one-line setext headings; inside of a fence there are none."""
    place, fence = 0, ""
    before_last, last = "", ""
    for line in StringIO(text, newline="\n"):
        bare = line.rstrip("\n")
        if fence:
            fence = "" if bare.strip().startswith(fence) and not bare.strip().strip(fence[0]) else fence
            bare = ""
        elif bare.lstrip(" ")[:1] not in _MARKS:
            pass  # nearly every line; looking three times more closely would take as long as all else here
        elif opened := _opened(bare):
            fence, bare = opened, ""
        elif atx := _ATX.fullmatch(bare):
            yield _Heading(place, place + len(line), len(atx[1]), _title(atx[2]))
            bare = ""
        elif (setext := _SETEXT.fullmatch(bare)) and not before_last.strip() and not _NO_PARAGRAPH.match(last):
            yield _Heading(place - len(last) - 1, place + len(line), 1 if setext[1][0] == "=" else 2, _title(last))
            bare = ""
        place += len(line)
        before_last, last = last, bare


def _opened(line: str) -> str:
    """Return the fence that this line opens, or nothing; backticks may not stand behind backticks."""
    match = _FENCE.match(line)
    return match[1] if match and not (match[1][0] == "`" and "`" in match[2]) else ""


def _title(text: str) -> str:
    bare = text.rstrip(" \t")
    closed = bare.rstrip("#")
    return closed.rstrip(" \t") if closed.endswith((" ", "\t")) else bare
