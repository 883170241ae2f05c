"""Where prose and source may be cut, from the strongest class of places to the weakest.

Every pattern is linear in the text: what repeats is possessive, and a run is entered at its first character only.
"""

import re

PARAGRAPH = re.compile(r"\n\s*\n")
SENTENCE = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_]*+\s++(?=[^\sa-z])"  # what follows an end does not begin in lower case
    r"|[。！？]++[」』”’）]*+\s*+"
    r"|\n(?=[ \t]{0,16}(?:[-*+|>]|\d{1,3}[.)])[ \t])"  # an item, a row or a quotation begins
)
LINE = re.compile(r"\n")
CLAUSE = re.compile(r"[,;:—–)][\"'”’»]*+\s++|[，；：、]")
BLANK = re.compile(r"(?<!\s)\s++")

PROSE = (PARAGRAPH, SENTENCE, LINE, CLAUSE, BLANK)
SOURCE = (PARAGRAPH, LINE, BLANK)
