"""A BERT of random weights, small enough to be made in a test: ten words, eight dimensions."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from twin_platform.embedding.convert import convert_bert

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", ":", "passage", "a", "fox", "runs"]
HIDDEN, WIDE, POSITIONS = 8, 16, 32
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": POSITIONS,
}


def write_tiny_model(folder: Path, seed: int = 7) -> Path:
    """Make the folder of a model; another seed is another model."""
    folder.mkdir(exist_ok=True)
    save_file(tiny_weights(seed), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    convert_bert(folder / "model.safetensors", folder / "config.json", folder / "model.onnx")
    write_tokenizer(folder)
    return folder


def tiny_weights(seed: int = 7) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{layer}.attention.{part}.weight"] = (HIDDEN, HIDDEN)
            shapes[f"{layer}.attention.{part}.bias"] = (HIDDEN,)
        shapes[f"{layer}.intermediate.dense.weight"] = (WIDE, HIDDEN)
        shapes[f"{layer}.intermediate.dense.bias"] = (WIDE,)
        shapes[f"{layer}.output.dense.weight"] = (HIDDEN, WIDE)
        shapes[f"{layer}.output.dense.bias"] = (HIDDEN,)
    shapes |= {f"{name}.{part}": (HIDDEN,) for name in norms for part in ("weight", "bias")}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
