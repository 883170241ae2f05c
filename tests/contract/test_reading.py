"""The reader's promises, kept by MiniLM as it was taught and by the one that only compares words."""

import pytest

from contract.conformance.reading_contract import ReaderContract
from twin_platform.embedding.errors import WeightsUnavailable
from twin_platform.embedding.open import EmbeddingSettings
from twin_platform.reading.open import open_reader
from twin_platform.reading.port import Reader
from twin_platform.reading.words import WordReader


@pytest.fixture(scope="session")
def taught() -> Reader:
    """The real one, built once for this machine and then read from its cache."""
    try:
        return open_reader(EmbeddingSettings(), print)
    except WeightsUnavailable as error:
        pytest.skip(str(error))


class TestWordReader(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return WordReader()


class TestOnnxReader(ReaderContract):
    @pytest.fixture
    def reader(self, taught: Reader) -> Reader:
        return taught
