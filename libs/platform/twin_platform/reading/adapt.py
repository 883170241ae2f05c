"""The reader's graph: MiniLM's weights, changed as training changed them.

Training moved MiniLM's matrices little, so that products of two thin matrices hold most of it (Hu et al. 2021,
"LoRA: Low-Rank Adaptation of Large Language Models"). Those, and the small vectors, are the file beside this module.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.convert import BertConfig, Tensors, save_bert, tensors_of
from twin_platform.embedding.errors import SourceFailed, WeightsInvalid
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE
from twin_platform.reading.onnx import CHANGES, OUTPUT

_MINILM: Final = BertConfig(
    hidden_size=384,
    num_attention_heads=12,
    num_hidden_layers=6,
    layer_norm_eps=1e-12,
    hidden_act="gelu",
    model_type="bert",
)
_HEAD: Final = "head"


class AdaptedWeights:
    """MiniLM as it lies in a folder, changed."""

    name = "MiniLM's weights, changed by training"

    def __init__(self, minilm: Path) -> None:
        """Take the folder of `model.onnx` and `tokenizer.json`."""
        self._minilm = minilm

    def fetch(self, _spec: EmbeddingSpec, folder: Path, say: Callable[[str], None]) -> None:
        """Put `model.onnx` and `tokenizer.json` into `folder`.

        Raises:
            SourceFailed: the folder's graph is not MiniLM's, or the changes are another model's.
        """
        say("building its graph")
        try:
            tensors = tensors_of(self._minilm / MODEL_FILE)
            for name, change in _changes():
                tensors[name] = _changed(tensors, name, change)
            save_bert(tensors, _MINILM, folder / MODEL_FILE, (_HEAD, OUTPUT))
        except WeightsInvalid as error:
            raise SourceFailed(str(error)) from error
        shutil.copyfile(self._minilm / TOKENIZER_FILE, folder / TOKENIZER_FILE)


def _changes() -> Iterator[tuple[str, NDArray[np.float32]]]:
    with np.load(CHANGES) as changes:
        for name in changes.files:
            stem, _, part = name.rpartition(".")
            if part == "up":
                yield stem, changes[name].astype(np.float32) @ changes[f"{stem}.down"].astype(np.float32)
            elif part != "down":
                yield name, changes[name].astype(np.float32)


def _changed(tensors: Tensors, name: str, change: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a weight with its change; only the head is the reader's own."""
    if name.startswith(f"{_HEAD}."):
        return change
    if name not in tensors:
        raise WeightsInvalid(str(CHANGES), f"it changes {name!r}, which the model does not have")
    before = tensors[name]
    if before.shape != change.shape:
        raise WeightsInvalid(str(CHANGES), f"{name!r} has the shape {change.shape}, the model's {before.shape}")
    return before + change
