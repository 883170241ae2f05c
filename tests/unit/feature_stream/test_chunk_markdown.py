"""Articles are cut at their headings."""

import pytest

from fakes.corpus import corpus_document
from twin_feature_stream.handlers.chunk_markdown import ChunkMarkdown
from twin_feature_stream.ports import Chunk
from twin_platform.embedding.hashing import WordTokenizer
from unit.feature_stream.chunking import assert_within, clean_document


def chunks(text: str, max_tokens: int = 220) -> list[Chunk]:
    return list(ChunkMarkdown(WordTokenizer(), max_tokens)(clean_document(text)))


def paths(text: str) -> list[tuple[str, ...]]:
    return [chunk.heading_path for chunk in chunks(text)]


def test_each_section_carries_the_headings_above_it() -> None:
    text = "intro\n# A\none\n## B\ntwo\n### C\nthree\n## D\nfour\n# E\nfive\n"

    assert paths(text) == [(), ("A",), ("A", "B"), ("A", "B", "C"), ("A", "D"), ("E",)]


def test_the_heading_stands_in_the_text_and_before_it() -> None:
    assert chunks("# Rye\nNo kneading.\n")[0].embedded_text == "Rye\n# Rye\nNo kneading."


def test_underlined_headings_count() -> None:
    assert paths(corpus_document("night-train.md").text) == [
        ("Over the Brenner with a bicycle and a night train",),
        ("Over the Brenner with a bicycle and a night train", "The night train"),
        ("Over the Brenner with a bicycle and a night train", "Two days uphill"),
        ("Over the Brenner with a bicycle and a night train", "What broke"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```sh\n# not a heading\n```\n",
        "~~~\n# not a heading\n```\n# nor this\n~~~\n",
        "````\n```\n# not a heading\n```\n````\n",
        "```\n# a fence without end\n",
        "    # indented code\n",
        "#no blank after the mark\n",
        "####### seven marks\n",
        "- item\n---\n",
        "| a | b |\n---\n",
        "first line\nsecond line\n---\n",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert paths(text) == [()]


def test_a_heading_after_a_closed_fence_counts() -> None:
    assert paths("```\ncode\n```\n# A\ntext\n") == [(), ("A",)]


def test_closing_marks_are_no_part_of_a_heading() -> None:
    assert paths("## A heading ##\ntext\n# C#\ntext\n") == [("A heading",), ("C#",)]


def test_a_heading_without_text_shares_the_chunk_of_the_next() -> None:
    text = "# Part one\n\n## Rain\n\nIt rained.\n"

    assert [(chunk.heading_path, chunk.text) for chunk in chunks(text)] == [(("Part one", "Rain"), text)]


def test_a_heading_at_the_end_is_not_lost() -> None:
    assert [chunk.text for chunk in chunks("# A\ntext\n# B\n")] == ["# A\ntext\n", "# B\n"]


def test_a_fence_stays_in_one_piece_where_it_fits() -> None:
    fence = "```python\nfirst = 1\n\nsecond = 2\n\nthird = 3\n```\n"
    text = "Some words before the code, which go on for a while.\n\n" + fence + "\nAnd some words after it. " * 5

    assert any(fence in chunk.text for chunk in chunks(text, max_tokens=32))


def test_headings_without_end_leave_room_for_the_text() -> None:
    heading = "long " * 300
    text = f"# {heading}\n## {heading}\n### {heading}\n" + "word " * 500

    found = chunks(text)

    assert_within(found, WordTokenizer(), 220)
    assert len(found) < 20
    assert all(chunk.heading_path for chunk in found)


def test_the_innermost_heading_is_kept_when_the_path_is_too_long() -> None:
    text = "# " + "outer " * 80 + "\n## inner\ntext\n"

    assert paths(text) == [("inner",)]
