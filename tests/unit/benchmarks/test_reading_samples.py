"""What is read for a question while teaching, with a tokenizer whose words are tokens."""

import random

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from benchmarks.reading.samples import Layout, Sample, batches
from benchmarks.reading.texts import Asked, Sentence
from twin_platform.reading.onnx import Window, Windows
from twin_platform.reading.port import Excerpt

HARBOUR = [
    Sentence("The ferry waits for the tide.", "Harbour"),
    Sentence("Its captain is Ada Byron.", "Harbour"),
    Sentence("Bicycles travel free of charge.", "Harbour"),
]
WHO = Asked(1, "Who is captain?", (1,), frozenset({1}), "ada byron")
WHY = Asked(1, "Why is Ada captain?", (1,), frozenset(), "")


def chance() -> random.Random:
    return random.Random(0)  # noqa: S311 - the same in every run


@pytest.fixture
def tokenizer() -> Tokenizer:
    words = " ".join(one.text for one in HARBOUR).replace(".", " .").split()
    names = ["[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(words)]
    made = Tokenizer(WordLevel({name: at for at, name in enumerate(names)}, unk_token=names[0]))
    made.pre_tokenizer = Whitespace()
    return made


def marked(sample: Sample, tokenizer: Tokenizer) -> list[list[str | None]]:
    return [[tokenizer.id_to_token(int(one)) for one in sample.window.tokens[a:b]] for a, b in sample.words]


def test_the_sentence_that_answers_is_read_and_its_words_are_marked(tokenizer: Tokenizer) -> None:
    (sample,) = Layout({1: HARBOUR}, tokenizer, chance()).question(WHO)

    assert sample.answers == (False, True, False)
    assert marked(sample, tokenizer) == [["Ada", "Byron"]]


def test_nothing_answers_an_unanswerable_question(tokenizer: Tokenizer) -> None:
    (sample,) = Layout({1: HARBOUR}, tokenizer, chance()).question(WHY)

    assert (any(sample.answers), sample.words) == (False, ())


def test_some_are_compared_with_the_passage_that_shares_their_rare_words(tokenizer: Tokenizer) -> None:
    crew = [Sentence("A captain commands the crew.", "Ships")]
    bread = [Sentence("Bread is baked at night.", "Bread")]
    layout = Layout({1: HARBOUR, 2: crew, 3: bread, 4: bread, 5: bread}, tokenizer, chance())
    ((_, only),) = Windows(tokenizer).of(WHO.question, Excerpt("Ships", (crew[0].text,)))

    others = [sample for _ in range(20) for sample in layout.question(WHO)[1:]]

    assert {tuple(one.window.tokens) for one in others} == {tuple(only.tokens)}
    assert 0 < len(others) < 20


def test_questions_of_alike_length_are_in_one_batch() -> None:
    questions = [
        [Sample(Window(np.zeros(length, np.int64), np.zeros(length, np.int64), ()), ())] for length in range(7)
    ]

    found = batches(questions[::-1], 3, chance())

    assert sorted([len(one.window.tokens) for (one,) in batch] for batch in found) == [[0, 1, 2], [3, 4, 5], [6]]
