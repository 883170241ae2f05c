"""Tokenizers that chunkers are tested with."""

import pytest

from fakes.tokenizer import make_word_pieces
from twin_platform.embedding.hashing import WordTokenizer
from twin_platform.embedding.port import Tokenizer


@pytest.fixture(scope="session")
def word_pieces(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Count as the model does."""
    return make_word_pieces(tmp_path_factory.mktemp("word-pieces"))


@pytest.fixture(scope="session", params=["words", "word pieces"])
def tokenizer(request: pytest.FixtureRequest, word_pieces: Tokenizer) -> Tokenizer:
    """Run a test with a tokenizer that never surprises and with one that does."""
    return WordTokenizer() if request.param == "words" else word_pieces
