"""Citation marks `[n]` in a text that comes in pieces."""

import re
from collections.abc import Callable, Sequence
from typing import Final

MARK: Final = re.compile(r"\[([1-9][0-9]{0,2})\]")

_TOKEN: Final = re.compile(
    r"(?P<ticks>`+)|(?P<blank>\n[ \t]*\n)"
    r"|(?P<space>(?<![ \t])[ \t]*)\[(?P<numbers>\s*\d{1,3}(?:\s*,\s*\d{1,3})*\s*)\](?!\()"
)
_UNFINISHED: Final = re.compile(r"(?:`+|\n\s*|(?<![ \t])[ \t]*\[[\d,\s]{0,40}\]?|(?<![ \t])[ \t]+)\Z")
_LONGEST_HELD: Final = 1000
"""Code points at a piece's end that may wait for the next one: a longer run of ticks or blanks begins no mark."""
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)
_FENCE: Final = 3


class MarkReader:
    """Rewrites marks outside of code as `rewrite` says: numbers in, numbers to keep out.

    `[1, 2]` becomes `[1][2]`; a mark of which nothing is kept goes with the space before it. A link `[1](…)` and
    whatever stands in code, fenced or between back ticks, is left as it is. `text` and `marks` grow with each piece.
    """

    def __init__(self, keep: Callable[[int], bool]) -> None:
        self._keep = keep
        self._held = ""
        self._code = ""
        self.text = ""
        """All that was returned so far."""
        self.marks: list[tuple[int, int]] = []
        """(number, code points before it in `text`), in order."""

    def feed(self, piece: str) -> str:
        """Return the next of the text, without what the next piece may turn into a mark."""
        self._held += piece
        unfinished = _UNFINISHED.search(self._held, max(0, len(self._held) - _LONGEST_HELD))
        end = unfinished.start() if unfinished else len(self._held)
        ready, self._held = self._held[:end], self._held[end:]
        return self._read(ready)

    def end(self) -> str:
        """Return the rest."""
        rest, self._held = self._held, ""
        return self._read(rest)

    def _read(self, ready: str) -> str:
        before = len(self.text)
        place = 0
        for token in _TOKEN.finditer(ready):
            self.text += ready[place : token.start()]
            place = token.end()
            if token["numbers"] and not self._code:
                self._mark(token["space"], token["numbers"])
            else:
                self._note_code(token)
                self.text += token[0]
        self.text += ready[place:]
        return self.text[before:]

    def _mark(self, space: str, numbers: str) -> None:
        kept = [number for number in map(int, numbers.split(",")) if self._keep(number)]
        self.text += space if kept else ""
        for number in kept:
            self.marks.append((number, len(self.text)))
            self.text += f"[{number}]"

    def _note_code(self, token: re.Match[str]) -> None:
        ticks = token["ticks"] or ""
        if ticks and not self._code:
            self._code = ticks
        elif ticks == self._code or (token["blank"] and len(self._code) < _FENCE):  # a paragraph's end ends a lone tick
            self._code = ""


def without_marks(text: str) -> str:
    """Return the text without what reads as a mark; a passage's own foot notes are no passages' numbers."""
    reader = MarkReader(lambda _: False)
    return reader.feed(text) + reader.end()


def marks_in_json(text: str, count: int) -> Sequence[tuple[int, int]]:
    """Return the marks in a JSON text's strings: what stands outside of them are numbers in lists."""
    return [
        (int(mark[1]), mark.start())
        for string in _STRING.finditer(text)
        for mark in MARK.finditer(text, *string.span())
        if 1 <= int(mark[1]) <= count
    ]
