"""An edit embeds the chunks around it and no others, because cut points depend on the text nearby only."""

import random
import re

import pytest

from fakes.corpus import LONG_LINE, corpus_document
from twin_feature_stream.handlers.chunk_markdown import ChunkMarkdown
from twin_feature_stream.handlers.chunk_prose import ChunkProse
from twin_platform.embedding.hashing import WordTokenizer
from twin_platform.embedding.port import Tokenizer
from unit.feature_stream.chunking import clean_document, embedded

LONGER = "which, as I have learned since then, was of no use to anybody at all"
MOST_EMBEDDINGS = 4


def long_line() -> str:
    """Return the article's text, whose body is one line of 30,000 characters."""
    text = corpus_document(LONG_LINE).text
    assert max(map(len, text.split("\n"))) == 30_000
    return text


def new_embeddings(chunker: ChunkMarkdown | ChunkProse, before: str, after: str) -> int:
    return len(embedded(chunker(clean_document(after))) - embedded(chunker(clean_document(before))))


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0], ids=["start", "middle", "end"])
def test_one_longer_sentence_of_a_long_line_is_at_most_four_embeddings(tokenizer: Tokenizer, place: float) -> None:
    text = long_line()
    ends = [match.start() for match in re.finditer(r"\.", text)]
    end = ends[round(place * (len(ends) - 1))]

    edited = f"{text[:end]}, {LONGER}{text[end:]}"

    assert 1 <= new_embeddings(ChunkMarkdown(tokenizer, 220), text, edited) <= MOST_EMBEDDINGS


@pytest.mark.parametrize("limit", [128, 220])
def test_words_added_anywhere_are_at_most_four_embeddings(limit: int) -> None:
    text = long_line()
    chunker = ChunkProse(WordTokenizer(), limit)
    before = embedded(chunker(clean_document(text)))
    blanks = [match.start() for match in re.finditer(" ", text)]
    dice = random.Random(4)  # noqa: S311 - the same edits each time

    new = []
    for _ in range(100):
        blank = dice.choice(blanks)
        words = " ".join(dice.choices(LONGER.split(), k=dice.randrange(2, 15)))
        new.append(len(embedded(chunker(clean_document(f"{text[:blank]} {words}{text[blank:]}"))) - before))

    assert max(new) <= MOST_EMBEDDINGS
    assert sum(new) / len(new) < 1.5


def test_a_sentence_taken_away_is_at_most_four_embeddings() -> None:
    text = long_line()
    sentences = text.split(". ")
    chunker = ChunkProse(WordTokenizer(), 220)

    new = [
        new_embeddings(chunker, text, ". ".join(sentences[:number] + sentences[number + 1 :]))
        for number in range(0, len(sentences), 20)
    ]

    assert max(new) <= MOST_EMBEDDINGS


def test_a_paragraph_put_in_front_leaves_the_chunks_behind_it(tokenizer: Tokenizer) -> None:
    paragraphs = [f"Note {number}: " + "some words about the weather of that day. " * 4 for number in range(60)]
    text = "\n\n".join(paragraphs)

    assert new_embeddings(ChunkProse(tokenizer, 128), text, "A new beginning.\n\n" + text) <= MOST_EMBEDDINGS


def test_a_renamed_heading_embeds_what_stands_under_it_only(tokenizer: Tokenizer) -> None:
    text = corpus_document("tomatoes.md").text
    chunker = ChunkMarkdown(tokenizer, 220)
    under = [chunk for chunk in chunker(clean_document(text)) if "What I changed" in chunk.heading_path]

    renamed = text.replace("## What I changed", "## What I do otherwise")

    assert new_embeddings(chunker, text, renamed) == len(under) > 0
