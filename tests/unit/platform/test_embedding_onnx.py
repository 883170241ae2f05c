"""The ONNX adapter on a tiny BERT of random weights: what its folder must hold, and what a spec adds to a text."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fakes.tiny_model import CONFIG, HIDDEN, tiny_weights, write_tiny_model
from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.convert import convert_bert
from twin_platform.embedding.errors import WeightsInvalid
from twin_platform.embedding.onnx import OnnxEmbedder

SPEC = EmbeddingSpec(id="tiny", model="tiny", revision="1", dimension=HIDDEN, max_tokens=6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


def test_padding_of_a_neighbour_changes_no_vector(folder: Path) -> None:
    embedder = OnnxEmbedder(folder, SPEC, threads=1)

    together = embedder.embed_documents(["a", "a fox runs", ""])

    assert together == pytest.approx(
        np.array([embedder.embed_query(text) for text in ("a", "a fox runs", "")]), abs=1e-5
    )


def test_prefixes_stand_before_what_is_embedded(folder: Path) -> None:
    plain = OnnxEmbedder(folder, SPEC, threads=1)
    spec = SPEC.model_copy(update={"query_prefix": "query: ", "document_prefix": "passage: "})

    prefixed = OnnxEmbedder(folder, spec, threads=1)

    assert prefixed.embed_query("a fox") == pytest.approx(plain.embed_query("query: a fox"))
    assert prefixed.embed_documents(["a fox"])[0] == pytest.approx(plain.embed_query("passage: a fox"))


def test_token_states_are_those_of_the_text_and_not_of_its_prefix(folder: Path) -> None:
    prefixed = OnnxEmbedder(folder, SPEC.model_copy(update={"document_prefix": "passage: "}), threads=1)
    whole = OnnxEmbedder(folder, SPEC, threads=1).embed_tokens(["passage: a fox"])[0]

    (read,) = prefixed.embed_tokens(["a fox"])

    assert read.spans == ((0, 1), (2, 5))
    assert read.states == pytest.approx(whole.states[2:])


def test_texts_are_cut_at_the_specs_limit_special_tokens_included(folder: Path) -> None:
    embedder = OnnxEmbedder(folder, SPEC, threads=1)

    vectors = embedder.embed_documents(["a fox runs a", "a fox runs a fox"])

    assert vectors[0] == pytest.approx(vectors[1])


def test_stop_is_asked_before_each_sub_batch_of_six_hundred_tokens(folder: Path) -> None:
    embedder = OnnxEmbedder(folder, SPEC, threads=1)
    asked = 0

    def go_on() -> bool:
        nonlocal asked
        asked += 1
        return False

    embedder.embed_documents(["a fox runs a"] * 300, go_on)

    assert asked == 3  # 6 tokens each: 100 texts at a time


def test_a_model_that_cannot_read_as_many_tokens_as_its_spec_says_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsInvalid, match="does not run on a text"):
        OnnxEmbedder(folder, SPEC.model_copy(update={"max_tokens": 64}))


def test_a_spec_of_another_dimension_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsInvalid, match="8 dimensions, 'tiny' has 9"):
        OnnxEmbedder(folder, SPEC.model_copy(update={"dimension": 9}))


@pytest.mark.parametrize("pooling", [{"pooling_mode_mean_tokens": False}, {"pooling_mode": "cls"}])
def test_a_model_that_wants_another_pooling_is_refused(folder: Path, pooling: dict[str, object]) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))

    with pytest.raises(WeightsInvalid, match="another pooling than the mean"):
        OnnxEmbedder(folder, SPEC)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_cannot_be_read_is_named_with_its_folder(folder: Path, name: str) -> None:
    (folder / name).write_text("nonsense")

    with pytest.raises(WeightsInvalid, match=f"(?s){folder}.*{name}"):
        OnnxEmbedder(folder, SPEC)


def test_only_bert_is_converted(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "xlm-roberta"}))

    with pytest.raises(WeightsInvalid, match="'xlm-roberta' model with 'gelu'; only BERT"):
        convert_bert(folder / "model.safetensors", folder / "config.json", folder / "model.onnx")


def test_a_missing_weight_is_named(folder: Path) -> None:
    weights = tiny_weights()
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")

    with pytest.raises(WeightsInvalid, match=r"no weight named 'encoder\.layer\.1\.output\.dense\.bias'"):
        convert_bert(folder / "model.safetensors", folder / "config.json", folder / "model.onnx")
