"""The embedder's promises, kept by MiniLM on onnxruntime and by the fake that other tests use."""

from pathlib import Path

import pytest

from contract.conformance.embedding_contract import EmbedderContract, TokenizerContract
from fakes.embedding import HashEmbedder
from twin_contracts.embedding import MINILM
from twin_platform.embedding.errors import WeightsUnavailable
from twin_platform.embedding.folder import spec_of
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE, OnnxEmbedder
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


def test_a_folder_with_minilms_files_has_minilms_spec(minilm_folder: Path, tmp_path: Path) -> None:
    for name in (MODEL_FILE, TOKENIZER_FILE):
        (tmp_path / name).symlink_to(minilm_folder / name)

    assert spec_of(minilm_folder, MINILM.dimension) == MINILM
    assert spec_of(tmp_path, MINILM.dimension) == MINILM


def test_minilm_gives_the_vectors_of_the_original_truncation_included(minilm: OnnxEmbedder) -> None:
    """What sentence-transformers 5 on torch 2.13 gives for the same weights, to five places."""
    vectors = minilm.embed_documents(
        [
            "The record is the truth; every reader checks it.",
            "Delivery is at least once, and repeating is harmless. " * 60,
        ]
    )

    assert vectors[0][:6] == pytest.approx([-0.02867, 0.05372, -0.02491, -0.01843, -0.01309, 0.06529], abs=2e-5)
    assert vectors[1][:6] == pytest.approx([0.02754, -0.00183, -0.00752, 0.02578, 0.01633, 0.06655], abs=2e-5)
