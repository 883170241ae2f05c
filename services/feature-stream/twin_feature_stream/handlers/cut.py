"""Cut text at places that depend on the text nearby only, so that an edit changes the chunks around it and no others.

Every candidate for a cut has a strength: its class (paragraph, sentence, …) and, inside a class, a hash of the few
characters around it. From the weakest to the strongest, a candidate is given up where the two pieces beside it fit
into one chunk. What remains is full (two neighbours never fit into one), and no cut knows its place in the document.

The order by hash is what makes it local, as in content-defined chunking (A. Muthitacharoen et al., "A low-bandwidth
network file system", 2001); giving up weak candidates instead of choosing strong ones keeps the pieces near the limit.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from zlib import crc32

from twin_platform.embedding.port import Tokenizer

Level = re.Pattern[str]
"""Matches what ends a unit; the cut stands at the match's end."""

_LONGEST_TOKEN = 16
_CONTEXT = 16
"""Code points on each side of a candidate that its hash looks at."""


class Ruler:
    """Measures stretches of one text in tokens; the text is tokenized once.

    Models read a word beyond all measure as one unknown token, so a token counts once more for every
    16 code points: a chunk never holds more text than a person could read.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.text = text
        spans = tokenizer.spans(text)
        self._starts = [place for start, end in spans for place in range(start, max(end, start + 1), _LONGEST_TOKEN)]

    def size(self, start: int, end: int) -> int:
        """Return how many tokens begin in `text[start:end]`."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def tokens(self, start: int, end: int) -> list[int]:
        """Return where the tokens begin that do so strictly inside of `text[start:end]`."""
        return self._starts[bisect_right(self._starts, start) : bisect_left(self._starts, end)]


def cuts(ruler: Ruler, start: int, end: int, limit: int, levels: Sequence[Level]) -> list[int]:
    """Return where to cut `text[start:end]` so that no piece has more than `limit` tokens.

    `levels` go from the strongest class to the weakest; below them a cut stands before any token.
    """
    if ruler.size(start, end) <= limit:
        return []
    marks: list[int] = []
    while levels and not marks:
        marks = [match.end() for match in levels[0].finditer(ruler.text, start, end) if match.end() < end]
        levels = levels[1:]
    if not marks:
        return thinned(ruler, start, end, (), ruler.tokens(start, end), limit)
    inner = [cut for left, right in pairwise([start, *marks, end]) for cut in cuts(ruler, left, right, limit, levels)]
    return thinned(ruler, start, end, inner, marks, limit)


def thinned(
    ruler: Ruler, start: int, end: int, fixed: Iterable[int], candidates: Iterable[int], limit: int
) -> list[int]:
    """Return `fixed` and those of `candidates` that have to stay because the pieces beside them do not fit together."""
    candidates = list(candidates)
    places = sorted({start, *fixed, *candidates, end})
    index = {place: position for position, place in enumerate(places)}
    before, after = list(range(-1, len(places) - 1)), list(range(1, len(places) + 1))
    sizes = list(accumulate((ruler.size(left, right) for left, right in pairwise(places)), initial=0))
    gone = set()
    for place in sorted(candidates, key=lambda place: _strength(ruler.text, place)):
        left, right = before[index[place]], after[index[place]]
        if sizes[right] - sizes[left] <= limit:
            after[left], before[right] = right, left
            gone.add(place)
    return [place for place in places[1:-1] if place not in gone]


def _strength(text: str, place: int) -> int:
    """Return a number that looks random and depends on the characters around `place` only."""
    return crc32(text[max(0, place - _CONTEXT) : place + _CONTEXT].encode())
