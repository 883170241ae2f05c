"""The spec of a configured folder follows from its files: another model is another spec, the same one never is."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import onnx
import pytest

from fakes.tiny_model import HIDDEN, POSITIONS, write_tiny_model, write_tokenizer
from twin_contracts.documents import DocumentType
from twin_contracts.embedding import MINILM
from twin_feature_stream.bootstrap import build_registry
from twin_platform.embedding.errors import WeightsInvalid
from twin_platform.embedding.folder import open_folder, spec_of
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE
from twin_platform.embedding.open import EmbeddingSettings, open_embedder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value))


def test_another_model_has_a_spec_of_its_own(folder: Path) -> None:
    embedder = open_embedder(EmbeddingSettings(path=folder), print)

    assert embedder.spec.id != MINILM.id
    assert (embedder.spec.dimension, embedder.spec.max_tokens) == (HIDDEN, POSITIONS)
    assert embedder.embed_query("a fox runs").shape == (HIDDEN,)


def test_the_same_files_in_another_place_have_the_same_spec(folder: Path) -> None:
    moved = shutil.copytree(folder, folder.with_name("moved"))

    assert spec_of(Path(moved), HIDDEN) == spec_of(folder, HIDDEN)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write_tiny_model(folder, seed=8),
        lambda folder: (folder / "model.onnx_data").write_bytes(b"weights"),
        lambda folder: (folder / TOKENIZER_FILE).write_bytes((folder / TOKENIZER_FILE).read_bytes() + b"\n"),
        lambda folder: write_json(folder / "sentence_bert_config.json", {"max_seq_length": 20}),
        lambda folder: write_json(folder / "config_sentence_transformers.json", {"prompts": {"query": "query: "}}),
    ],
    ids=["weights", "weights beside the graph", "tokenizer", "tokens", "prefix"],
)
def test_whatever_makes_other_vectors_makes_another_spec_and_another_pipeline(
    folder: Path, change: Callable[[Path], object]
) -> None:
    before = open_folder(folder)

    change(folder)

    after = open_folder(folder)
    assert before.spec.id != after.spec.id
    pipelines = {build_registry(embedder).pipeline(DocumentType.POST) for embedder in (before, after)}
    assert len(pipelines) == 2


@pytest.mark.parametrize(
    ("files", "max_tokens"),
    [
        ({}, 256),
        ({"config.json": {"max_position_embeddings": 512}}, 512),
        ({"config.json": {"max_position_embeddings": 514}, "tokenizer_config.json": {"model_max_length": 512}}, 512),
        ({"config.json": {"max_position_embeddings": 512}, "tokenizer_config.json": {"model_max_length": 1e30}}, 512),
        ({"config.json": {"max_position_embeddings": 512}, "sentence_bert_config.json": {"max_seq_length": 128}}, 128),
        ({"config.json": {"max_position_embeddings": 512}, "sentence_bert_config.json": {"max_seq_length": None}}, 512),
        ({"config.json": {"max_position_embeddings": 512}, "sentence_bert_config.json": {"max_seq_length": 999}}, 512),
        ({TOKENIZER_FILE: {"truncation": {"max_length": 64}}}, 64),
        ({TOKENIZER_FILE: {"truncation": None}}, 256),
    ],
)
def test_tokens_are_what_sentence_transformers_reads_within_what_the_model_can(
    tmp_path: Path, files: dict[str, object], max_tokens: int
) -> None:
    for name, content in ({MODEL_FILE: {}, TOKENIZER_FILE: {}} | files).items():
        write_json(tmp_path / name, content)

    assert spec_of(tmp_path, HIDDEN).max_tokens == max_tokens


def test_prompts_of_the_model_become_its_prefixes(folder: Path) -> None:
    prompts = {"query": "query: ", "passage": "passage: "}
    write_json(folder / "config_sentence_transformers.json", {"prompts": prompts})

    spec = spec_of(folder, HIDDEN)

    assert (spec.query_prefix, spec.document_prefix) == ("query: ", "passage: ")


def test_a_folder_that_was_copied_from_the_cache_is_what_the_cache_fetched(folder: Path) -> None:
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL_FILE, TOKENIZER_FILE)}
    manifest = {"spec": MINILM.model_dump(), "source": "the hub", "files": files}
    write_json(folder / "manifest.json", manifest)
    whole = spec_of(folder, HIDDEN)

    write_tokenizer(folder)
    (folder / MODEL_FILE).write_bytes(b"another")

    assert whole == MINILM
    assert spec_of(folder, HIDDEN) != MINILM


def test_a_graph_that_wants_something_else_than_text_is_refused(folder: Path) -> None:
    model = onnx.load(folder / MODEL_FILE)
    model.graph.input.append(onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, [1, 3]))
    onnx.save(model, folder / MODEL_FILE)

    with pytest.raises(WeightsInvalid, match="does not run on a text"):
        open_folder(folder)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (MODEL_FILE, b"", "model.onnx"),
        (MODEL_FILE, b"version https://git-lfs.github.com/spec/v1", "model.onnx"),
        (TOKENIZER_FILE, b"{}", "tokenizer.json"),
        (TOKENIZER_FILE, b"\xff", "tokenizer.json"),
        ("config.json", b"{", "config.json"),
        ("config.json", b"[]", "config.json holds no JSON object"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_to_do(folder: Path, name: str, content: bytes, told: str) -> None:
    (folder / name).write_bytes(content)

    with pytest.raises(WeightsInvalid, match=f"(?s){folder}.*{told}.*EMBEDDING_PATH"):
        open_folder(folder)
