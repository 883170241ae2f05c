"""A long text is tokenised in windows: no window ends inside a word, as the model's normaliser sees words."""

import pytest

from fakes.tokenizer import make_word_pieces
from twin_platform.embedding.tokenizer import HuggingFaceTokenizer

WORDS = "a " * 16_384
"""As long as a window."""


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTokenizer:
    return make_word_pieces(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000", "日", "\n"])
def test_a_window_ends_between_words_only(tokenizer: HuggingFaceTokenizer, character: str) -> None:
    end = f"th{character}at is all"

    spans = tokenizer.spans(WORDS + end)

    of_end = [(start - len(WORDS), stop - len(WORDS)) for start, stop in spans if start >= len(WORDS)]
    assert of_end == tokenizer.spans(end)
