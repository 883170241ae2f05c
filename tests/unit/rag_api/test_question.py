from twin_rag_api.question import read_question
from twin_rag_api.words import plain, stem


def test_a_question_that_points_back_is_about_the_turn_before_too() -> None:
    alone = read_question("Which engine runs Qdrant?", "How do cats purr?")
    back = read_question("And how long does it take?", "How do cats purr?")

    assert "cat" not in alone.terms
    assert alone.text == "Which engine runs Qdrant?"
    assert {stem("cats"), stem("purr"), stem("take")} <= set(back.terms)
    assert back.text == "And how long does it take? How do cats purr?"


def test_words_that_say_how_and_repeated_ones_are_no_terms() -> None:
    assert read_question("What is a graph, and why is a Graph directed?").terms == (stem("graph"), stem("directed"))


def test_words_agree_over_endings_marks_and_styled_letters() -> None:
    assert stem("quantizing") == stem("quantized") == stem("quantizes")
    assert plain("*  **𝗯𝗼𝗹𝗱**\n`code`") == "bold code"
