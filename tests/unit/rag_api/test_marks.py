from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_rag_api.cite import unsourced
from twin_rag_api.marks import MarkReader, marks_in_json, without_marks


def read(*pieces: str, count: int = 2) -> MarkReader:
    reader = MarkReader(lambda number: 1 <= number <= count)
    assert "".join([*map(reader.feed, pieces), reader.end()]) == reader.text
    return reader


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Cats purr [1].", "Cats purr [1]."),
        ("Cats purr [1, 2].", "Cats purr [1][2]."),
        ("Cats purr [ 2 ,7 ].", "Cats purr [2]."),
        ("Cats purr [3].", "Cats purr."),
        ("Cats [0] purr [12][1].", "Cats purr[1]."),
        ("A [link] and [1](https://example.org).", "A [link] and [1](https://example.org)."),
        ("Call `items[9]`, or\n```\na[7]\n\nb[8]\n```\n[9]", "Call `items[9]`, or\n```\na[7]\n\nb[8]\n```\n"),
        ("A lone ` tick.\n\nIt ends here [9].", "A lone ` tick.\n\nIt ends here."),
        ("``a ` [9]`` [9]", "``a ` [9]``"),
        ("[", "["),
        ("Open [1, ", "Open [1, "),
        ("   ", "   "),
    ],
)
def test_marks_of_no_passage_are_dropped_and_code_is_left_alone(text: str, kept: str) -> None:
    assert read(text).text == kept
    assert read(*text).text == kept


def test_each_mark_is_told_with_its_place() -> None:
    assert read("🐈 purr [2, 1]. So [1].").marks == [(2, 7), (1, 10), (1, 18)]


@given(st.text(alphabet="a1,2 []`\n(", max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_a_text_reads_the_same_wherever_it_is_cut(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]

    assert read(*pieces).text == read(text).text
    assert read(*pieces).marks == read(text).marks


def test_a_passages_own_foot_notes_are_not_shown_to_the_model() -> None:
    assert without_marks("Cats purr [3], see `a[3]`.") == "Cats purr, see `a[3]`."


def test_in_json_marks_stand_in_strings() -> None:
    text = '{"a": [1], "b": "It \\" purrs [2] [9] [02] [٢].", "c[1]": 1}'

    assert [(number, text[place : place + 3]) for number, place in marks_in_json(text, 2)] == [(2, "[2]"), (1, "[1]")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Cats purr [1]. Dogs bark. [2] They do.", ["They do."]),
        ("Here is what they say:\n\n- Cats purr [1]\n- Dogs bark", ["- Dogs bark"]),
        ("Do they? They do [1].", []),
        ("# Heading\n\n```\ncode()\n```\n\nCats purr.[1][2]", []),
        ("Cats purr. Dogs bark.", ["Cats purr.", "Dogs bark."]),
        ("", []),
    ],
)
def test_sentences_without_a_mark_are_told(text: str, found: list[str]) -> None:
    assert [text[span.start_index : span.end_index] for span in unsourced(text)] == found


@pytest.mark.parametrize("unit", ["`", "\n", "\n ", " \n", "[1, ", "[", " "])
@pytest.mark.timeout(5)
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    text = unit * (60_000 // len(unit)) + "x!"

    assert without_marks(text) == text


@pytest.mark.timeout(5)
def test_a_string_without_end_is_read_once() -> None:
    assert marks_in_json('{"a": "[1]", "b": "' + '\\"' * 100_000 + "[2]", 2) == [(1, 7), (2, 200_019)]
