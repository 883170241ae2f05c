from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_rag_api.sentences import MAX_SENTENCE, sentences_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It is 3.5 GB, e.g. small. See Fig. 2 by Doe et al. (2023).", None),
        ("A line that was wrapped\nat some width. Next.", ["A line that was wrapped\nat some width.", "Next."]),
        ("Short\nA much longer line that stands below", ["Short", "A much longer line that stands below"]),
        ("Steps:\n\n1. First one\n2. Second one", ["Steps:", "1. First one", "2. Second one"]),
        ("Glued together.Next sentence here.", ["Glued together.", "Next sentence here."]),
        ("# Title\n\nText.\n\n```python\nx = 1.\n```\n\nAfter.", ["Text.", "After."]),
        ("Before:\n\n    x = 1\n    y = 2\n\nAfter.", ["Before:", "After."]),
        ("Cite [1]. “Quoted.” Then.", ["Cite [1].", "“Quoted.”", "Then."]),
        ("", []),
        ("---\n***\n123", []),
    ],
)
def test_a_text_is_cut_where_a_reader_would(text: str, expected: list[str] | None) -> None:
    found = [sentence.text for sentence in sentences_of(text)]

    assert found == (
        ["It is 3.5 GB, e.g. small.", "See Fig. 2 by Doe et al. (2023)."] if expected is None else expected
    )


def test_a_sentence_knows_its_heading() -> None:
    found = sentences_of("Before.\n\n## Cats ##\n\nThey purr.\n# Dogs\nThey bark.")

    assert [(one.text, one.heading) for one in found] == [
        ("Before.", ""),
        ("They purr.", "Cats"),
        ("They bark.", "Dogs"),
    ]


@given(st.text(alphabet="ab.!? \n#*-1`“é𝗯\t", max_size=1500))
def test_every_sentence_stands_in_the_text_in_order_and_short_enough(text: str) -> None:
    found = sentences_of(text)

    assert all(text[one.start : one.end] == one.text and 0 < len(one.text) <= MAX_SENTENCE for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@pytest.mark.parametrize("end", ["", "x!", "\nX."])
@pytest.mark.parametrize(
    "unit",
    [" ", "\t", "\r", "\u2028", "`", "~~~", "!", "...", "# ", "# #\n", "! ", "1. ", "1. \n", "- a\n", '"', "\n ", "A"],
)
@pytest.mark.timeout(5)
def test_no_text_takes_more_than_linear_time(unit: str, end: str) -> None:
    text = unit * (50_000 // len(unit)) + end

    assert all(0 < len(one.text) <= MAX_SENTENCE for one in sentences_of(text))
