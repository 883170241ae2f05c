"""The counting of `make eval-answers`, on a small invented library."""

import pytest

from benchmarks.answers.scoring import Article, Count, Question, Questions, Report, Split, count, evaluate, flaws
from benchmarks.answers.text import holds_one_of, shared_runs, stands_in
from benchmarks.eval_answers import measures, questions_table
from twin_contracts.chat import AssistantMessage, ChatCompletion, Choice, Citation, TwinAnswer, Usage
from twin_contracts.documents import document_id_of

BEES = Article(
    link="https://example.org/bees",
    content="# Bees\n\nA colony holds **60,000** workers\nin summer. Its queen lays 1,500 eggs a day.\n\n"
    "* 𝗗𝗿𝗼𝗻𝗲𝘀 have no sting",
)
TIDES = Article(link="https://example.org/tides", content="# Tides\n\nThe bay of Fundy rises sixteen metres.")
LIBRARY = [BEES, TIDES]

EGGS = Question(
    id="eggs",
    question="How many eggs does a queen lay?",
    split=Split.HELD_OUT,
    documents=(BEES.link,),
    words=(("1,500",),),
)
STING = Question(
    id="sting",
    question="Which bees cannot sting?",
    split=Split.CALIBRATION,
    documents=(BEES.link,),
    words=(("drones",), ("males",)),
)
HONEY = Question(id="honey", question="What does honey cost?", split=Split.HELD_OUT, articles_say="how many eggs")
FUNDY = Question(
    id="fundy",
    question="By how much does water climb at Fundy?",
    split=Split.CALIBRATION,
    documents=(TIDES.link,),
    words=(("sixteen",),),
)
QUESTIONS = Questions(answerable=(EGGS, STING), unanswerable=(HONEY,), paraphrase=(FUNDY,))


def answer(*quotes: tuple[Article, str]) -> ChatCompletion:
    """Return an answer with these quotes; without one, a refusal."""
    citations = tuple(
        Citation(number=number, document_id=document_id_of(article.link), chunk_id="c", quote=quote)
        for number, (article, quote) in enumerate(quotes, 1)
    )
    return ChatCompletion(
        id="t",
        created=0,
        model="twin",
        choices=(Choice(message=AssistantMessage(content="")),),
        usage=Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0),
        twin=TwinAnswer(answered=bool(quotes), citations=citations),
    )


GOOD = {
    EGGS.question: answer((BEES, "Its queen lays 1,500 eggs a day.")),
    STING.question: answer((BEES, "Drones have no sting")),
    HONEY.question: answer(),
    FUNDY.question: answer((TIDES, "The bay of Fundy rises sixteen metres.")),
}


def report_with(changed: dict[str, ChatCompletion]) -> Report:
    return evaluate({**GOOD, **changed}.__getitem__, LIBRARY, QUESTIONS)


def test_right_answers_and_refusals_are_counted_by_half() -> None:
    report = report_with({})

    assert count(report.answerable, Split.HELD_OUT) == Count(1, 1)
    assert count(report.answerable, Split.CALIBRATION) == Count(1, 1)
    assert count(report.unanswerable) == Count(1, 1)
    assert count(report.paraphrase) == Count(1, 1)
    assert report.not_verbatim == Count(0, 3)


@pytest.mark.parametrize(
    ("question", "given"),
    [
        (EGGS, answer()),
        (EGGS, answer((BEES, "A colony holds 60,000 workers in summer."))),
        (EGGS, answer((TIDES, "Its queen lays 1,500 eggs a day."))),
        (HONEY, answer((BEES, "Its queen lays 1,500 eggs a day."))),
    ],
    ids=["a refusal", "other words", "another document", "an answer where nothing answers"],
)
def test_what_does_not_count(question: Question, given: ChatCompletion) -> None:
    report = report_with({question.question: given})

    assert [row.question.id for row in report.rows if not row.right] == [question.id]


def test_the_words_may_be_spread_over_several_quotes() -> None:
    both = EGGS.model_copy(update={"words": (("60,000", "1,500"),)})
    quotes = ((BEES, "A colony holds 60,000 workers in summer."), (BEES, "Its queen lays 1,500 eggs a day."))

    report = evaluate(lambda _: answer(*quotes), LIBRARY, Questions(answerable=(both,), unanswerable=(), paraphrase=()))

    assert count(report.answerable) == Count(1, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A colony holds **60,000** workers\n in summer", True),
        ("a colony of 𝟲𝟬,𝟬𝟬𝟬 WORKERS", True),
        ("60,000 drones", False),
        ("plenty of bees", True),
        ("", False),
    ],
)
def test_words_match_without_case_marks_styling_and_line_breaks(text: str, expected: bool) -> None:  # noqa: FBT001
    assert holds_one_of(text, (("60,000", "workers"), ("plenty",))) is expected


def test_no_alternative_is_held_where_none_is_given() -> None:
    assert not holds_one_of("anything", ())


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        ("A colony holds 60,000 workers in summer.", True),
        ("Drones have no sting", True),
        ("A colony holds 60,000 drones in summer.", False),
        ("Its queen lays eggs a day.", False),
        ("…", False),
    ],
)
def test_a_quote_is_verbatim_when_its_letters_stand_in_the_document(quote: str, expected: bool) -> None:  # noqa: FBT001
    assert stands_in(quote, BEES.content) is expected


def test_a_quote_from_a_document_that_is_no_article_is_not_verbatim() -> None:
    stranger = Article(link="https://example.org/else", content="Its queen lays 1,500 eggs a day.")

    report = report_with({EGGS.question: answer((stranger, stranger.content))})

    assert report.not_verbatim == Count(1, 3)


def test_four_words_in_a_row_are_found_across_case_marks_and_lines() -> None:
    assert shared_runs("Who says A COLONY HOLDS 60 bees?", "a **colony**\nholds 60,000") == {
        ("a", "colony", "holds", "60")
    }


def test_three_words_in_a_row_are_not_enough() -> None:
    assert not shared_runs("a colony holds nothing", "a colony holds 60,000")


def test_questions_that_fit_have_no_flaws() -> None:
    assert flaws(LIBRARY, QUESTIONS) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"documents": ("https://example.org/gone",)}, "is not among the articles"),
        ({"words": (("60,000", "drones"),)}, "no two consecutive sentences"),
    ],
)
def test_a_question_that_does_not_fit_its_article_is_named(change: dict[str, object], complaint: str) -> None:
    questions = QUESTIONS.model_copy(update={"answerable": (EGGS.model_copy(update=change),)})

    assert [complaint in flaw and flaw.startswith("eggs") for flaw in flaws(LIBRARY, questions)] == [True]


def test_a_paraphrase_that_copies_its_document_is_named() -> None:
    copied = FUNDY.model_copy(update={"question": "By how much is it that the bay of Fundy rises?"})
    questions = QUESTIONS.model_copy(update={"paraphrase": (copied,)})

    assert any("('bay', 'of', 'fundy', 'rises')" in flaw for flaw in flaws(LIBRARY, questions))


def test_fitting_sees_the_calibration_half_alone() -> None:
    half = QUESTIONS.half(Split.CALIBRATION)

    assert half == Questions(answerable=(STING,), unanswerable=(), paraphrase=(FUNDY,))


def test_a_goal_is_met_by_the_figure_alone() -> None:
    met = {row.measure: (row.value, row.met) for row in measures(report_with({}))}

    assert met["held-out: answered with its words"] == (1, False)
    assert met["answers with a quote that is not verbatim"] == (0, True)
    assert met["calibration: paraphrases answered with their words"] == (1, None)
    assert met["held-out: paraphrases answered with their words"] == (0, None)


def test_the_table_says_what_went_wrong() -> None:
    report = report_with({EGGS.question: answer((TIDES, "Its queen lays nothing."))})

    line = next(line for line in questions_table(report).splitlines() if " eggs " in line)

    assert line.startswith("WRONG")
    assert line.endswith("answered, not its words, another document, not verbatim")
