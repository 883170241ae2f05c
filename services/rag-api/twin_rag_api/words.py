"""Words as the answerer compares them: without marks, case, styling and endings."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+")
_MARKS = re.compile(r"[*_`\\]+")
_BULLETS = "-+•➝↳→>|# "

STOP_WORDS: Final = frozenset(
    """a an the of in on at to for from by with as is are was were be been being am do does did doing done have has had
    having will would can could shall should may might must i you he she it we they me him her us them my your his its
    our their this that these those there here what which who whom whose when where why how if then than so and or but
    not no nor about into over under between during before after above below up down out off again further once only
    own same too very just also any some such other others more most much many few each every all both s t ve re ll d m
    don doesn didn isn aren wasn weren won get got use used using""".split()  # noqa: SIM905 - a list of words reads better in lines
)
"""English words that say how, not about what."""

_ENDINGS: Final = (
    ("ies", "y"),
    ("sses", "ss"),
    ("ization", "ize"),
    ("isation", "ize"),
    ("ations", "ate"),
    ("ation", "ate"),
    ("ings", ""),
    ("ing", ""),
    ("edly", ""),
    ("ed", ""),
    ("ers", "er"),
    ("es", ""),
    ("s", ""),
    ("ly", ""),
)
_SHORTEST_STEM: Final = 3


def plain(text: str) -> str:
    """Return `text` on one line without Markdown's marks, bullets and letters styled by Unicode."""
    return " ".join(_MARKS.sub("", unicodedata.normalize("NFKC", text)).split()).lstrip(_BULLETS)


def words(text: str) -> list[str]:
    """Return the words and numbers of a plain text, in lower case."""
    return _WORD.findall(text.casefold())


def places(text: str) -> list[tuple[int, int, str]]:
    """Return the words and numbers of a plain text with where they start and end."""
    return [(*match.span(), match[0].casefold()) for match in _WORD.finditer(text)]


def terms(text: str) -> list[str]:
    """Return the stems of every word of a plain text."""
    return [stem(word) for word in words(text)]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Cut common English endings, so that `quantizing` and `quantized` agree. Crude, and the same on both sides."""
    if len(word) <= _SHORTEST_STEM or word[0].isdigit() or word.endswith("ss"):
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= _SHORTEST_STEM:
            word = word.removesuffix(ending) + instead
            break
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word
