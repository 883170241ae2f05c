import pytest

from twin_rag_api.question import Wanted, read_question
from twin_rag_api.words import plain, stem


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("How many nodes does it have?", Wanted.NUMBER),
        ("When was it released?", Wanted.MOMENT),
        ("And when was it replaced?", Wanted.MOMENT),
        ("What happens when it ends?", Wanted.ANYTHING),
        ("Who wrote it?", Wanted.PERSON),
        ("What is the perplexity of the quantized model?", Wanted.NUMBER),
        ("What is a tensor?", Wanted.ANYTHING),
    ],
)
def test_the_kind_of_answer_follows_from_the_question(asked: str, wanted: Wanted) -> None:
    assert read_question(asked).wanted is wanted


@pytest.mark.parametrize(
    ("asked", "text", "fits"),
    [
        ("How many nodes does the graph have?", "The graph has 48 isolated nodes.", 1.0),
        ("How many nodes does the graph have?", "The graph has 48 edges.", -1.0),
        ("How many nodes does the graph have?", "It has nodes.", -1.0),
        ("How long does it take?", "It took 15 minutes.", 1.0),
        ("How long does it take?", "It took 15 steps.", -1.0),
        ("How much does it cost?", "It is $20 per month.", 1.0),
        ("How much does it cost?", "It has 20 users.", -1.0),
        ("How much does an engineer earn?", "There are 8 types of engineers.", -1.0),
        ("What is the maximum number of nodes?", "There can be 48 nodes.", 1.0),
        ("What is the maximum number of nodes?", "It has nodes.", -1.0),
        ("Which is faster, Ada or Bea?", "Ada runs faster than Bea.", 1.0),
        ("Which is faster, Ada or Bea?", "Ada and Bea run.", -1.0),
        ("What is it?", "It has 20 users.", 0.0),
    ],
)
def test_a_number_counts_only_with_what_was_asked_for(asked: str, text: str, fits: float) -> None:
    assert read_question(asked).fits_unit(text) == fits


def test_what_the_question_says_itself_is_no_answer() -> None:
    assert read_question("How much VRAM does a 7B model with 8 bits need?").has_wanted("It has 8 bits.") == 0.0
    assert read_question("Who founded Bytewax Labs?").has_wanted("the team of Bytewax Labs did") == 0.0


def test_a_question_that_points_back_is_about_the_turn_before_too() -> None:
    alone = read_question("Which engine runs Qdrant?", "How do cats purr?")
    back = read_question("And how long does it take?", "How do cats purr?")

    assert "cat" not in alone.terms
    assert {stem("cats"), stem("purr"), stem("take")} <= set(back.terms)


def test_words_agree_over_endings_marks_and_styled_letters() -> None:
    assert stem("quantizing") == stem("quantized") == stem("quantizes")
    assert plain("*  **𝗯𝗼𝗹𝗱**\n`code`") == "bold code"


def test_a_reason_counts_only_where_one_is_asked_for() -> None:
    text = "It was replaced because it was slow."

    assert read_question("Why was it replaced?").gives_reason(text)
    assert not read_question("Why was it replaced?").gives_reason("It was replaced.")
    assert not read_question("When was it replaced?").gives_reason(text)
