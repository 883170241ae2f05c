import numpy as np
import pytest

from fakes.embedding import HashEmbedder
from twin_rag_api.likeness import Likeness, TokenWeights
from twin_rag_api.words import stem

ASKED = "Do cats purr?"
SPANS = [(0, 2), (3, 7), (8, 12), (12, 13)]
WEIGHTS = {stem("cats"): 0.5, stem("purr"): 1.0}


def test_a_token_is_matched_by_the_token_most_like_it_in_any_of_the_texts() -> None:
    likeness = Likeness(ASKED, ["cats sleep", "engines purr"], HashEmbedder())

    alone, both = likeness.matches(["cats sleep"]), likeness.matches(["cats sleep", "engines purr"])

    assert likeness.spans == tuple(SPANS)
    assert alone[1] == pytest.approx(1.0)
    assert alone[2] < 0.5
    assert both[1:3] == pytest.approx([1.0, 1.0])


def test_a_text_without_tokens_matches_nothing() -> None:
    assert Likeness(ASKED, [""], HashEmbedder()).matches([""]).tolist() == [-1.0] * 4


def test_every_text_is_embedded_once() -> None:
    embedder = HashEmbedder()

    Likeness(ASKED, ["cats sleep", "cats sleep", ASKED], embedder)

    assert embedder.embedded == [ASKED, "cats sleep"]


def test_rare_words_count_most_stop_words_a_little_and_marks_nothing() -> None:
    tokens = TokenWeights(ASKED, SPANS, WEIGHTS)

    means = [tokens.mean(row) for row in np.eye(4, dtype=np.float32)]

    assert means == pytest.approx([0.2 / 1.7, 0.5 / 1.7, 1.0 / 1.7, 0.0])


def test_a_words_weight_is_shared_by_its_tokens() -> None:
    tokens = TokenWeights("purring", [(0, 4), (4, 7)], {stem("purring"): 1.0})

    assert tokens.mean(np.array([1.0, 0.0], np.float32)) == pytest.approx(0.5)


def test_the_weakest_match_is_that_of_a_content_word() -> None:
    tokens = TokenWeights(ASKED, SPANS, WEIGHTS)

    assert tokens.weakest(np.array([0.1, 0.8, 0.4, 0.0], np.float32)) == pytest.approx(0.4)


def test_a_question_of_stop_words_alone_is_measured_by_them() -> None:
    tokens = TokenWeights("What is it?", [(0, 4), (5, 7), (8, 10), (10, 11)], {})

    assert tokens.weakest(np.array([0.9, 0.3, 0.5, 0.4], np.float32)) == pytest.approx(0.3)
