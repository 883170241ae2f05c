"""Where prose and source may be cut, from the strongest class of places to the weakest.

Every pattern is linear in the text: what repeats is possessive, and a run is entered at its first character only.
"""

import re

_PARAGRAPH = re.compile(r"\n(?:[ \t]*+\n)++")
_SENTENCE = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_]*+\s++(?=[^\sa-z])"  # what follows an end does not begin in lower case
    r"|[。！？]++[」』”’）]*+\s*+"
    r"|\n(?=[ \t]{0,16}(?:[-*+|>]|\d{1,3}[.)])[ \t])"  # an item, a row or a quotation begins
)
_LINE = re.compile(r"\n")
_CLAUSE = re.compile(r"[,;:—–)][\"'”’»]*+\s++|[，；：、]")
_BLANK = re.compile(r"(?<!\s)\s++")
_BLOCK = re.compile(  # a fence with all that it holds, or a blank line outside of one
    r"(?m:^)[ \t]*+(```|~~~)[^\n]*+\n(?s:.*?)(?m:^)[ \t]*+\1[^\n]*+(?:\n(?:[ \t]*+\n)*+|\Z)|" + _PARAGRAPH.pattern
)

FENCES = ("```", "~~~")
PROSE = (_PARAGRAPH, _SENTENCE, _LINE, _CLAUSE, _BLANK)
MARKDOWN = (_BLOCK, *PROSE)
SOURCE = (_PARAGRAPH, _LINE, _BLANK)
