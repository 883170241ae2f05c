"""Texts made up for load: as many as one likes, none equal to another, in words that the corpus uses."""

import random
import re
from functools import cache

from benchmarks.texts import CORPUS
from twin_contracts.documents import AuthorRef, RawArticle, RawPost, Source, TextFormat, document_id_of_client

AUTHOR = AuthorRef.of("Backlog Writer")
SOURCE = Source(platform="bench")
_SENTENCE_WORDS = 12
_PARAGRAPH_SENTENCES = 3
_SECTION_PARAGRAPHS = 6


def post(number: int, size: int, edition: int = 0) -> RawPost:
    """Return a post of `size` characters; another number or edition is another text, an equal pair the same."""
    text = _prose(random.Random(f"post {number} {edition}"), size)  # noqa: S311 - the same text in every run
    return RawPost(id=document_id_of_client(f"post-{number}"), author=AUTHOR, source=SOURCE, text=text)


def article(number: int, size: int) -> RawArticle:
    """Return a Markdown article of `size` characters, with headings."""
    text = markdown(random.Random(f"article {number}"), size)  # noqa: S311 - the same text in every run
    return RawArticle(
        id=document_id_of_client(f"article-{number}"),
        author=AUTHOR,
        source=SOURCE,
        title=f"Article {number}",
        text=text,
        format=TextFormat.MARKDOWN,
    )


def markdown(chance: random.Random, size: int) -> str:
    """Return sections of prose under headings."""
    parts: list[str] = []
    length = 0
    while length < size:
        heading = f"## {_sentence(chance, 4)}"
        section = [_prose(chance, 600) for _ in range(_SECTION_PARAGRAPHS)]
        parts += [heading, *section]
        length += sum(len(part) + 2 for part in (heading, *section))
    return "\n\n".join(parts)[:size]


def _prose(chance: random.Random, size: int) -> str:
    sentences: list[str] = []
    length = 0
    while length < size:
        sentence = _sentence(chance, _SENTENCE_WORDS)
        end = "\n\n" if len(sentences) % _PARAGRAPH_SENTENCES == _PARAGRAPH_SENTENCES - 1 else " "
        sentences.append(sentence + "." + end)
        length += len(sentences[-1])
    return "".join(sentences)[:size].strip()


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_words(), k=words)).capitalize()


@cache
def _words() -> list[str]:
    texts = [path.read_text("utf-8") for path in sorted(CORPUS.rglob("*")) if path.suffix in {".md", ".txt", ".json"}]
    return re.findall(r"[a-z]{2,}", " ".join(texts).lower())
