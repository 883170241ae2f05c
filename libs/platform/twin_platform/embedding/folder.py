"""A folder with a model that a setting names: which spec it has follows from its files, and from nothing else.

So another model, or the same one that reads more tokens or other prefixes, is another spec, whose vectors never meet
the old ones; and a folder that was renamed or copied is the same one.
"""

import json
from hashlib import sha256
from pathlib import Path

from twin_contracts.embedding import MINILM, EmbeddingSpec
from twin_platform.embedding.errors import WeightsInvalid
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE, OnnxEmbedder, dimension_of, open_session
from twin_platform.embedding.weights import digest_of, spec_in_manifest

_MINILM_TOKENIZER = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_MINILM_MODELS = (
    "6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",  # onnx/model.onnx of its own repository
    "54246e722955325eca2d45686aff05a38d163ccec38259dd34a99d18db7228f6",  # converted here from its safetensors
)
_MODEL_DATA = MODEL_FILE + "_data"
"""Where a graph above 2 GiB keeps its weights."""
_MOST_TOKENS = 256
"""Where no file says how many the model reads."""
_NO_LIMIT = 1_000_000
"""Tokenizers without a limit claim astronomical ones."""


def open_folder(folder: Path, threads: int | None = None) -> OnnxEmbedder:
    """Load the model of a folder under the spec of its files.

    Raises:
        WeightsInvalid: what is there is no model, or not one that gives a state per token.
    """
    session = open_session(folder)
    return OnnxEmbedder(folder, spec_of(folder, dimension_of(folder, session)), threads, session)


def spec_of(folder: Path, dimension: int) -> EmbeddingSpec:
    """Return the spec of the model in a folder; a tenth of a second for 90 MB."""
    files = {
        name: digest_of(folder / name) for name in (MODEL_FILE, _MODEL_DATA, TOKENIZER_FILE) if (folder / name).exists()
    }
    fetched = spec_in_manifest(folder, files)
    if fetched is not None:
        return fetched
    if files[TOKENIZER_FILE] == _MINILM_TOKENIZER and files[MODEL_FILE] in _MINILM_MODELS:
        return MINILM
    prompts = _json(folder, "config_sentence_transformers.json").get("prompts")
    query, document = _prefix(prompts, "query"), _prefix(prompts, "document") or _prefix(prompts, "passage")
    max_tokens = _max_tokens(folder)
    identity = json.dumps([sorted(files.items()), max_tokens, query, document])
    return EmbeddingSpec(
        id=f"onnx-{sha256(identity.encode()).hexdigest()[:16]}",
        model="a configured folder",
        revision=files[MODEL_FILE],
        dimension=dimension,
        max_tokens=max_tokens,
        query_prefix=query,
        document_prefix=document,
    )


def _max_tokens(folder: Path) -> int:
    """Return what sentence-transformers would read; else what model and tokenizer allow."""
    positions = _integer(_json(folder, "config.json").get("max_position_embeddings"))
    tokenizer = _integer(_json(folder, "tokenizer_config.json").get("model_max_length"))
    truncation = _json(folder, TOKENIZER_FILE).get("truncation")
    cut = _integer(truncation.get("max_length")) if isinstance(truncation, dict) else None
    wanted = _integer(_json(folder, "sentence_bert_config.json").get("max_seq_length"))
    allowed = [limit for limit in (positions, tokenizer) if limit is not None]
    return min([wanted or min(allowed, default=cut or _MOST_TOKENS), *allowed])


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value < _NO_LIMIT else None


def _prefix(prompts: object, name: str) -> str:
    prefix = prompts.get(name) if isinstance(prompts, dict) else None
    return prefix if isinstance(prefix, str) else ""


def _json(folder: Path, name: str) -> dict[str, object]:
    """Return a configuration file's object; nothing where there is no such file."""
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise WeightsInvalid(str(folder), f"{name}: {error}") from error
    if not isinstance(value, dict):
        raise WeightsInvalid(str(folder), f"{name} holds no JSON object")
    return value
