"""The model that is taught, what it is taught by, and how its changes are written down.

Every sentence gets a score, "nothing here" has the score 0, and the loss is the softmax's: the sentences that answer
share it, or "nothing here" has it. The words of the answer themselves are marked, too, which teaches a token's own
figure.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found]  # only in the environment that teaches
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional  # type: ignore[import-not-found]  # the same
from transformers import BertConfig, BertModel  # type: ignore[import-not-found]  # the same

from benchmarks.reading.samples import Batch, Sample
from twin_platform.reading.onnx import UNREAD, Window

_RANK = 64
"""Of the products that a matrix's change is written down as."""
_WORDS_SHARE = 0.5
"""What the marked words count beside the sentences."""
_WORD_WEIGHT = 4.0
"""What a token of the answer counts beside another: there are fewer."""
_WEIGHTS = "model.safetensors"
_ENCODER = "encoder."


class Reader(torch.nn.Module):  # type: ignore[misc]  # its base has no type without torch
    """MiniLM with three figures for every token; what they mean stands in `twin_platform/reading/onnx.py`."""

    def __init__(self, minilm: Path) -> None:
        """Take MiniLM's folder; the words' own vectors stay as they are."""
        super().__init__()
        config = BertConfig.from_pretrained(minilm, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        self.bert = BertModel(config, add_pooling_layer=False)
        known = self.bert.state_dict().keys()
        self.bert.load_state_dict({name: value for name, value in _weights(minilm).items() if name in known})
        self.bert.embeddings.requires_grad_(requires_grad=False)
        self.head = torch.nn.Linear(config.hidden_size, 3)
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, windows: Sequence[Window]) -> torch.Tensor:
        """Return the tokens' figures, shape (windows, tokens, 3)."""
        shape = (len(windows), max(len(one.tokens) for one in windows))
        tokens, types, mask = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
        for row, one in enumerate(windows):
            tokens[row, : len(one.tokens)] = torch.from_numpy(one.tokens)
            types[row, : len(one.types)] = torch.from_numpy(one.types)
            mask[row, : len(one.tokens)] = 1
        states = self.bert(tokens, attention_mask=mask, token_type_ids=types).last_hidden_state
        return self.head(states.float())


def scores(figures: torch.Tensor, spans: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Return the scores of a window's sentences, as the reader computes them."""
    return torch.stack(
        [
            figures[start:end, 0].max() + figures[start:end, 1].mean() + figures[0, 2]
            if end > start
            else torch.tensor(UNREAD)
            for start, end in spans
        ]
    )


def loss_of(reader: Reader, batch: Batch) -> torch.Tensor:
    """Return the mean loss of some questions."""
    figures = iter(reader([one.window for question in batch for one in question]))
    sentences, words = [], []
    for question in batch:
        read = [(one, next(figures)) for one in question]
        found = torch.cat([*(scores(here, one.window.spans) for one, here in read), torch.zeros(1)])
        right = torch.tensor([*(answers for one in question for answers in one.answers), False])
        right[-1] = not right.any()
        sentences.append(found.logsumexp(0) - found[right].logsumexp(0))
        words += [_words_loss(one, here) for one, here in read if one.words]
    marked = torch.stack(words).mean() if words else torch.zeros(())
    return torch.stack(sentences).mean() + _WORDS_SHARE * marked


def _words_loss(sample: Sample, figures: torch.Tensor) -> torch.Tensor:
    wanted = torch.zeros(len(figures))
    for start, end in sample.words:
        wanted[start:end] = 1
    text = slice(sample.window.spans[0][0], sample.window.spans[-1][1])
    return functional.binary_cross_entropy_with_logits(
        figures[text, 0], wanted[text], pos_weight=torch.tensor(_WORD_WEIGHT)
    )


def write_changes(reader: Reader, minilm: Path, target: Path) -> None:
    """Write what `twin_platform/reading` adds to MiniLM's weights, in 16 bits; `target` ends in `.npz`."""
    before = _weights(minilm)
    changes: dict[str, NDArray[np.float32]] = {}
    for name, after in reader.bert.state_dict().items():
        if not name.startswith(_ENCODER):
            continue
        change = (after - before[name]).numpy()
        if change.ndim > 1:
            left, sizes, right = np.linalg.svd(change, full_matrices=False)
            root = np.sqrt(sizes[:_RANK])
            changes[f"{name}.up"], changes[f"{name}.down"] = left[:, :_RANK] * root, root[:, None] * right[:_RANK]
        else:
            changes[name] = change
    changes |= {f"head.{name}": value.numpy() for name, value in reader.head.state_dict().items()}
    halved = {name: value.astype(np.float16) for name, value in changes.items()}
    np.savez_compressed(target, **halved)  # type: ignore[arg-type]  # none of them is named allow_pickle


def _weights(minilm: Path) -> dict[str, torch.Tensor]:
    return load_file(minilm / _WEIGHTS)
