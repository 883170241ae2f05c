"""Cut text at places that depend on the text nearby only, so that an edit changes the chunks around it and no others.

Every candidate for a cut has a strength: its class (paragraph, sentence, …) and, inside a class, a hash of the few
characters around it. The strongest within half a chunk on both sides stay, whatever stands further away. The others
are given up from the weakest to the strongest where the two pieces beside them fit into one chunk.

Strength by hash is content-defined chunking (A. Muthitacharoen et al., "A low-bandwidth network file system", 2001);
giving up weak candidates instead of choosing strong ones alone keeps the pieces near the limit.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from itertools import pairwise
from zlib import crc32

from twin_platform.embedding.port import Tokenizer

Level = re.Pattern[str]
"""Matches what ends a unit; the cut stands at the match's end."""

_REACH = 2
"""Half a chunk. In 9,000 edits of lines of 30,000 characters 8 touched 4 chunks and none more, at 142 of 220 tokens in
a chunk; with a third 1 touched 4, at 131 tokens; without this rule 5 of 6,000 touched 5, at 160 tokens."""
_CONTEXT = 16
"""Code points on each side of a candidate that its hash looks at."""
_LONGEST_TOKEN = 16
_MARKS_AT_ONCE = 50_000
"""Marks that are weighed against each other in one go, so that memory stays flat however many there are."""


class Ruler:
    """Measures stretches of one text in tokens; the text is tokenized once.

    Models read a word beyond all measure as one unknown token, so a token counts once more for every 16 code points:
    no chunk holds more text than a person could read.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.text = text
        self._starts = array("I")
        for start, end in tokenizer.spans(text):
            if end - start <= _LONGEST_TOKEN:
                self._starts.append(start)
            else:
                self._starts.extend(range(start, end, _LONGEST_TOKEN))

    def size(self, start: int, end: int) -> int:
        """Return how many tokens begin in `text[start:end]`."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def tokens(self, start: int, end: int) -> Sequence[int]:
        """Return where the tokens begin that do so strictly inside of `text[start:end]`."""
        return self._starts[bisect_right(self._starts, start) : bisect_left(self._starts, end)]


def cuts(ruler: Ruler, start: int, end: int, limit: int, levels: Sequence[Level]) -> list[int]:
    """Return where to cut `text[start:end]` so that no piece has more than `limit` tokens.

    `levels` go from the strongest class to the weakest; below them a cut stands before any token.
    """
    if ruler.size(start, end) <= limit:
        return []
    for depth, level in enumerate(levels, start=1):
        marks = [match.end() for match in level.finditer(ruler.text, start, end) if match.end() < end]
        if marks:
            units = pairwise([start, *marks, end])
            inner = [cut for left, right in units for cut in cuts(ruler, left, right, limit, levels[depth:])]
            return settled(ruler, [start, end, *inner], marks, limit)
    return settled(ruler, [start, end], ruler.tokens(start, end), limit)


def settled(ruler: Ruler, fixed: Collection[int], marks: Sequence[int], limit: int) -> list[int]:
    """Return the cuts that remain of `fixed` and `marks`, which are all of one class, in order.

    The first and the last of `fixed` are the stretch's ends and no cuts. `marks` stay where nothing stronger is near,
    or where the pieces beside them do not fit together. No piece is without a token, unless the whole stretch is.
    """
    in_parts = len(marks) > 2 * _MARKS_AT_ONCE
    return (_settled_in_parts if in_parts else _settled_at_once)(ruler, fixed, marks, limit)


def _settled_at_once(ruler: Ruler, fixed: Collection[int], marks: Sequence[int], limit: int) -> list[int]:
    places = sorted({*fixed, *marks})
    at = {place: ruler.size(places[0], place) for place in places}
    strengths = {mark: _strength(ruler.text, mark) for mark in marks}
    weak = strengths.keys() - _strongest(strengths, at, limit // _REACH) - set(fixed)
    after = dict(pairwise(places))
    before = {right: left for left, right in after.items()}
    beside_nothing = {place for place in places[1:-1] if at[place] in (at[before[place]], at[after[place]])}
    for mark in sorted(weak | beside_nothing, key=lambda mark: (strengths.get(mark, 0), mark)):
        left, right = before[mark], after[mark]
        if at[right] - at[left] <= limit:
            after[left], before[right] = right, left
            del after[mark]
    return [place for place in places[1:-1] if place in after]


def _settled_in_parts(ruler: Ruler, fixed: Collection[int], marks: Sequence[int], limit: int) -> list[int]:
    """Do the same part by part; the parts end at marks that nothing stronger is near, which stay cuts in any case.

    So the cuts are those that all marks at once would leave; but for marks all alike, as in a text of one sign.
    """
    ordered = sorted(fixed)
    ends = [ordered[0]]
    for middle in range(_MARKS_AT_ONCE, len(marks) - _MARKS_AT_ONCE // 2, _MARKS_AT_ONCE):
        end = _stronger_nearby(ruler.text, marks, middle, limit // _REACH)
        if ruler.size(ends[-1], end) and ruler.size(end, ordered[-1]):
            ends.append(end)
    found: list[int] = []
    for left, right in pairwise([*ends, ordered[-1]]):
        own = marks[bisect_left(marks, left) : bisect_right(marks, right)]  # the ends, too: they outdo their neighbours
        inside = ordered[bisect_right(ordered, left) : bisect_left(ordered, right)]
        found += [left, *_settled_at_once(ruler, [left, *inside, right], own, limit)]
    return found[1:]


def _stronger_nearby(text: str, marks: Sequence[int], at: int, reach: int) -> int:
    """Return the mark that one comes to by going to the strongest within `reach` marks until none is stronger."""
    while True:
        near = marks[max(0, at - reach) : at + reach + 1]
        best = max(near, key=lambda mark: _strength(text, mark))
        if _strength(text, best) == _strength(text, marks[at]):
            return marks[at]
        at = bisect_left(marks, best)


def _strongest(strengths: dict[int, int], at: dict[int, int], reach: int) -> set[int]:
    """Return the marks that no stronger one comes near, within `reach` tokens on either side."""
    found: set[int] = set()
    rivals: list[int] = []  # marks so far that nothing stronger followed, in falling strength
    for mark, strength in strengths.items():
        while rivals and strengths[rivals[-1]] <= strength:
            beaten = rivals.pop()
            if at[mark] - at[beaten] <= reach:
                found.discard(beaten)
        if not rivals or at[mark] - at[rivals[-1]] > reach:
            found.add(mark)
        rivals.append(mark)
    return found


def _strength(text: str, place: int) -> int:
    """Return a number that looks random and depends on the characters around `place` only."""
    return crc32(text[max(0, place - _CONTEXT) : place + _CONTEXT].encode())
