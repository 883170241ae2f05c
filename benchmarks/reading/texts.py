"""The texts that the questions are about: fetched again, since they belong to their authors and are not kept here.

`passages.tsv` names each: its number, source, first sentence, how many, and a digest. Sources are pages of Debian's
documentation packages (`apt-get download NAME=VERSION`, unpacked beside each other into a folder) and the descriptions
of projects on PyPI. A passage whose text is not what it was is left out, and so are its questions.
"""

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import httpx
import trafilatura

from twin_rag_api.sentences import sentences_of
from twin_rag_api.words import plain

HERE = Path(__file__).parent
_PYPI = "pypi/"
_TIMEOUT_SECONDS = 30.0
_SHORTEST = 4
"""Code points; less is a number or a mark."""
_NOT_PROSE = (
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<[^>\n]{1,300}>"), ""),
    (re.compile(r"^\s*\|.*$", re.MULTILINE), ""),
    (re.compile(r"^\[[^\]]+\]:.*$", re.MULTILINE), ""),
    (re.compile("\r"), ""),
)
_PROMPT = re.compile(r"^(?:In|Out) ?\[\d+\]|^>>>")


@dataclass(frozen=True)
class Sentence:
    """A sentence as the reader sees it, and the heading that it stands under."""

    text: str
    heading: str


@dataclass(frozen=True)
class Asked:
    """A question; `answers` are the sentences that answer it, none where nothing does, `near` the nearest ones."""

    passage: int
    question: str
    near: tuple[int, ...]
    answers: frozenset[int]
    answer: str


def read_questions(passages: dict[int, list[Sentence]]) -> list[Asked]:
    """Return the questions about these passages: `questions.tsv.gz` has passage, sentences, question and answer."""
    with gzip.open(HERE / "questions.tsv.gz", "rt", encoding="utf-8") as rows:
        found = [row.rstrip("\n").split("\t") for row in rows]
    return [_asked(row) for row in found if int(row[0]) in passages]


def _asked(row: list[str]) -> Asked:
    passage, where, question, *answer = row
    near = tuple(int(one) for one in where.removeprefix("-").split(","))
    return Asked(int(passage), question, near, frozenset(near if answer else ()), answer[0] if answer else "")


def read_passages(packages: Path) -> dict[int, list[Sentence]]:
    """Return the passages that could be had again, by their numbers; `packages` holds Debian's, unpacked."""
    found = {}
    with (HERE / "passages.tsv").open(encoding="utf-8") as rows:
        for number, source, start, count, digest in csv.reader(rows, delimiter="\t"):
            sentences = _sentences(source, packages)[int(start) : int(start) + int(count)]
            if digest_of(sentences) == digest:
                found[int(number)] = sentences
    return found


def digest_of(sentences: list[Sentence]) -> str:
    """Return what a passage is known by."""
    return sha256("\n".join(one.text for one in sentences).encode()).hexdigest()[:12]


@cache
def _sentences(source: str, packages: Path) -> list[Sentence]:
    if source.startswith(_PYPI):
        name, _, version = source.removeprefix(_PYPI).partition("@")
        text = _description(name, version)
    else:
        text = _page(packages / source)
    return list(_cut(text))


def _cut(text: str) -> Iterator[Sentence]:
    for one in sentences_of(text):
        words = plain(one.text).strip()
        if len(words) >= _SHORTEST and not _PROMPT.match(words):
            yield Sentence(words, one.heading.strip())


def _page(file: Path) -> str:
    if not file.is_file():
        return ""
    text = trafilatura.extract(
        file.read_text("utf-8", "replace"),
        output_format="markdown",
        include_comments=False,
        include_tables=False,
        include_links=False,
    )
    return (text or "").replace("¶", "")


def _description(name: str, version: str) -> str:
    response = httpx.get(f"https://pypi.org/pypi/{name}/{version}/json", timeout=_TIMEOUT_SECONDS)
    if response.status_code != httpx.codes.OK:
        return ""
    text = str(response.json()["info"]["description"] or "")
    for pattern, instead in _NOT_PROSE:
        text = pattern.sub(instead, text)
    return text
