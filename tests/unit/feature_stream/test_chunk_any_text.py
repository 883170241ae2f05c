"""What every chunker promises about any text: nothing lost, nothing above the limit, the same each time."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_feature_stream.handlers import cut
from twin_feature_stream.handlers.chunk_code import ChunkSyntaxTree
from twin_feature_stream.handlers.chunk_markdown import ChunkMarkdown
from twin_feature_stream.handlers.chunk_prose import ChunkProse
from twin_feature_stream.ports import Chunk, ChunkHandler
from twin_platform.embedding.hashing import WordTokenizer
from twin_platform.embedding.port import Tokenizer
from unit.feature_stream.chunking import assert_whole, assert_within, clean_document

MakeChunker = Callable[[Tokenizer, int], ChunkHandler]
CHUNKERS: list[MakeChunker] = [ChunkProse, ChunkMarkdown, ChunkSyntaxTree]
FRAGMENTS = [
    *("# A heading\n", "Title\n=====\n", "\n\n", "\n", "   ", "\t\t", "```\n", "~~~ text\n", "- item\n", "| a | b |\n"),
    *("One. Two! ", "e.g. this, that; and — so on ", "word " * 40, "日本語の文。", "👩‍👩‍👧 ", "é" * 5, "e\u0301\u0323"),
    *("def f(x):\n    return x\n", "class A {\n  m() { return 1 }\n}\n", "x = (", "/* ", "ﷺ", "İ"),
    *("\r", "\x0b", "\u2028", "\u200b"),
]
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=20), max_size=60).map("".join)
EXTREMES = {
    "nothing": "",
    "blanks only": " \n\t" * 50,
    "line ends only": "\n" * 5000,
    "a word of 10,000 letters": "a" * 10_000,
    "a word of 10,000 letters amid others": "one two " + "b" * 10_000 + " three",
    "no blank at all": "one,two;three." * 1000,
    "Chinese": "我们把地址分成五列。" * 500,
    "emoji": "👩‍👩‍👧🏽" * 1000,
    "combining marks": "e\u0301\u0323 " * 2000,
    "one heading without end": "# " + "long " * 2000,
    "a fence without end": "```\n" + "x = 1\n\n" * 500,
    "headings only": "# a\n## b\n" * 300,
    "brackets": "([{<" * 3000,
    "the same line again and again": "| 1 | 2 |\n" * 2000,
}


@pytest.mark.parametrize("make", CHUNKERS)
@pytest.mark.parametrize("limit", [16, 220])
@settings(max_examples=40)
@given(text=texts)
def test_no_text_is_lost_and_no_chunk_is_too_long(
    tokenizer: Tokenizer, make: MakeChunker, limit: int, text: str
) -> None:
    chunks = make(tokenizer, limit)(clean_document(text, "src/file.py"))

    assert_whole(chunks, text)
    assert_within(chunks, tokenizer, limit)
    assert [chunk for chunk in chunks if not chunk.text.strip()] == [] or not text.strip()


@pytest.mark.parametrize("make", CHUNKERS)
@pytest.mark.parametrize("text", EXTREMES.values(), ids=EXTREMES.keys())
def test_extreme_texts_are_cut_like_any_other(tokenizer: Tokenizer, make: MakeChunker, text: str) -> None:
    chunks = make(tokenizer, 220)(clean_document(text, "src/file.js"))

    assert_whole(chunks, text)
    assert_within(chunks, tokenizer, 220)
    assert max(len(chunk.text.strip()) for chunk in chunks or [Chunk("")]) <= 220 * 16


@pytest.mark.parametrize("make", CHUNKERS)
@given(text=texts)
@settings(max_examples=20)
def test_the_same_text_has_the_same_chunks(tokenizer: Tokenizer, make: MakeChunker, text: str) -> None:
    chunker = make(tokenizer, 32)

    assert chunker(clean_document(text)) == chunker(clean_document(text))


@pytest.mark.parametrize("make", [ChunkProse, ChunkMarkdown])
def test_chunks_are_more_than_half_full(tokenizer: Tokenizer, make: MakeChunker) -> None:
    text = "\n\n".join(f"Paragraph {number} says little, and says it in one sentence." for number in range(200))

    counts = tokenizer.counts([chunk.text for chunk in make(tokenizer, 220)(clean_document(text))])

    assert sum(counts) / len(counts) >= 120


@pytest.mark.parametrize("make", CHUNKERS)
@pytest.mark.parametrize("text", EXTREMES.values(), ids=EXTREMES.keys())
def test_texts_beyond_what_is_cut_at_once_are_cut_like_any_other(
    tokenizer: Tokenizer, make: MakeChunker, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "_MARKS_AT_ONCE", 300)

    chunks = make(tokenizer, 220)(clean_document(text, "src/file.js"))

    assert_whole(chunks, text)
    assert_within(chunks, tokenizer, 220)
    assert [chunk for chunk in chunks if not chunk.text.strip()] == [] or not text.strip()


@given(st.lists(st.integers(0, 10**6), min_size=400, max_size=1500, unique=True))
@settings(max_examples=15)
def test_part_by_part_the_cuts_are_those_of_the_whole(numbers: list[int]) -> None:
    text = "\n".join(f"line {number} of {number * 7}" for number in numbers)

    whole = ChunkProse(WordTokenizer(), 64)(clean_document(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "_MARKS_AT_ONCE", 150)
        parts = ChunkProse(WordTokenizer(), 64)(clean_document(text))

    assert parts == whole
