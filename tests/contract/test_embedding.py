"""The embedder's promises, kept by MiniLM on onnxruntime and by the fake that other tests use."""

from pathlib import Path

import pytest

from contract.conformance.embedding_contract import EmbedderContract, TokenizerContract
from fakes.embedding import HashEmbedder
from twin_contracts.embedding import MINILM
from twin_platform.embedding.errors import WeightsUnavailable
from twin_platform.embedding.onnx import OnnxEmbedder
from twin_platform.embedding.open import EmbeddingSettings, find_weights
from twin_platform.embedding.port import Embedder, Tokenizer


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The real model, fetched once for this machine and then read from its cache."""
    try:
        return find_weights(EmbeddingSettings(), print)
    except WeightsUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> OnnxEmbedder:
    return OnnxEmbedder(minilm_folder, MINILM)


class TestHashEmbedder(EmbedderContract, TokenizerContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashEmbedder()

    @pytest.fixture
    def tokenizer(self, embedder: Embedder) -> Tokenizer:
        return embedder.tokenizer


class TestOnnxEmbedder(EmbedderContract, TokenizerContract):
    @pytest.fixture
    def embedder(self, minilm: OnnxEmbedder) -> Embedder:
        return minilm

    @pytest.fixture
    def tokenizer(self, minilm: OnnxEmbedder) -> Tokenizer:
        return minilm.tokenizer
