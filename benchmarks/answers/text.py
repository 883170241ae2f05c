"""Comparing quotes, questions and articles, whatever cleaning did to marks, styling and line breaks."""

import re
import unicodedata
from itertools import pairwise

_MARKS = re.compile(r"[*_`]")
_URL = re.compile(r"https?://\S+")
_QUOTED_LINE = re.compile(r"^> ?", re.MULTILINE)
_BLOCK = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?…:])\s+")
_WORD = re.compile(r"[^\W_]+")


def plain(text: str) -> str:
    """Return `text` without case, Markdown marks and Unicode styling, with single spaces."""
    return " ".join(_MARKS.sub("", unicodedata.normalize("NFKC", text)).casefold().split())


def words(text: str) -> list[str]:
    """Return the words of `text` in order, links left out."""
    return _WORD.findall(unicodedata.normalize("NFKC", _URL.sub(" ", text)).casefold())


def holds_one_of(text: str, alternatives: tuple[tuple[str, ...], ...]) -> bool:
    """Say whether `text` contains every string of at least one alternative."""
    seen = plain(text)
    return any(all(plain(part) in seen for part in parts) for parts in alternatives)


def stands_in(quote: str, text: str) -> bool:
    """Say whether `quote` is verbatim in `text`: the same letters and digits in the same order.

    Marks, spaces and line breaks are what cleaning may change, so they do not count. An empty quote stands nowhere.
    """
    letters = "".join(_WORD.findall(unicodedata.normalize("NFKC", quote).casefold()))
    return bool(letters) and letters in "".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def shared_runs(one: str, other: str, length: int = 4) -> set[tuple[str, ...]]:
    """Return every run of `length` words that stands in both texts."""
    return _runs(words(one), length) & _runs(words(other), length)


def sentence_pairs(text: str) -> list[str]:
    """Return every two consecutive sentences of `text` joined by a space; a line of its own counts as a sentence."""
    blocks = _BLOCK.split(_QUOTED_LINE.sub("", text))
    sentences = [sentence for block in blocks for sentence in _SENTENCE_END.split(plain(block)) if sentence]
    return [" ".join(pair) for pair in pairwise([*sentences, ""])]


def _runs(sequence: list[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(sequence[start : start + length]) for start in range(len(sequence) - length + 1)}
