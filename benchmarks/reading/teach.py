"""Teach MiniLM to read a question and a text together, and write down how its weights changed.

    python -m benchmarks.reading.teach PACKAGES MINILM OUT [--epochs N] [--from STATE]

PACKAGES is the folder of `texts.py`, MINILM that of MiniLM's safetensors as its own repository has them. Into the
folder OUT come `changes.npz`, which goes to `twin_platform/reading`, and `state.pt`, from which a later run can go on
(`--from`). It reads `questions.tsv.gz` N times over, and is then tested on the passages that are not learnt from.

Needs torch and transformers, which nothing else here does (README.md). On two cores with AMX an epoch of 20,000
questions takes half an hour.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found]  # only in the environment that teaches
from tokenizers import Tokenizer

from benchmarks.reading.model import Reader, loss_of, scores, write_changes
from benchmarks.reading.samples import Batch, Layout, Question, batches
from benchmarks.reading.texts import read_passages, read_questions
from twin_platform.embedding.onnx import TOKENIZER_FILE
from twin_platform.embedding.tokenizer import load_tokenizer

_HELD_BACK = 25
"""One passage in so many is not learnt from, but tested on."""
_SEED, _TEST_SEED = 2, 1
_BATCH, _RATE, _WARM_UP = 16, 1.2e-4, 0.08
"""Questions a step, the highest rate, and the share of steps in which it rises to that."""
_SHOWN = 40
"""Steps between two lines that tell the loss, and over which it is averaged."""
_LONGEST_STEP = 1.0
"""Most that the gradient's norm may be."""


def main(arguments: list[str]) -> None:
    """Read, teach, test, write."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(_SEED)
    reader = Reader(options.minilm)
    if options.state:
        reader.load_state_dict(torch.load(options.state))
    lessons = _Lessons(options.packages, _tokenizer(options.minilm))
    teach(reader, [lessons.epoch() for _ in range(options.epochs)])
    print(tested(reader, lessons.held_back()), flush=True)
    torch.save(reader.state_dict(), options.out / "state.pt")
    write_changes(reader, options.minilm, options.out / "changes.npz")


def teach(reader: Reader, epochs: Sequence[list[Batch]]) -> None:
    """Change the reader's weights; those that change are kept in 32 bits, and all are computed with in 16."""
    before = deepcopy(reader.state_dict())
    used = [one for one in reader.parameters() if one.requires_grad]
    kept = [one.detach().clone().requires_grad_() for one in used]
    reader.bert.bfloat16()
    optimiser = torch.optim.AdamW(kept, lr=_RATE, weight_decay=0.01, betas=(0.9, 0.98))
    steps = [batch for epoch in epochs for batch in epoch]
    losses: list[float] = []
    for step, batch in enumerate(steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min((step + 1) / (_WARM_UP * len(steps) + 1), 1 - step / len(steps))
        reader.zero_grad()
        loss = loss_of(reader, batch)
        loss.backward()
        for own, computed in zip(kept, used, strict=True):
            own.grad = computed.grad.float()
        torch.nn.utils.clip_grad_norm_(kept, _LONGEST_STEP)
        optimiser.step()
        _copy(kept, used)
        losses.append(float(loss.detach()))
        if len(losses) % _SHOWN == 0 or len(losses) == len(steps):
            print(f"step {len(losses)} of {len(steps)}: {np.mean(losses[-_SHOWN:]):.3f}", flush=True)
    reader.float()
    reader.load_state_dict(before)
    _copy(kept, used)


def tested(reader: Reader, questions: Sequence[Question]) -> str:
    """Return, for a person, how well the reader finds answers and tells whether there is one.

    The area under the curve is the chance that an answerable question's best score is above an unanswerable one's.
    """
    found, best = [], {True: np.zeros(0), False: np.zeros(0)}
    for question in questions:
        right = [answers for one in question for answers in one.answers]
        with torch.no_grad():
            read = zip(question, reader([one.window for one in question]), strict=True)
            here = torch.cat([scores(figures, one.window.spans) for one, figures in read]).numpy()
        best[any(right)] = np.append(best[any(right)], here.max())
        if any(right):
            found.append(right[int(here.argmax())])
    area = (best[True][:, None] > best[False]).mean()
    return f"{len(questions)} held back: {np.mean(found):.3f} best sentence answers, {area:.3f} area under the curve"


class _Lessons:
    """The questions about passages: some to learn from, others to be tested on."""

    def __init__(self, packages: Path, tokenizer: Tokenizer) -> None:
        passages = read_passages(packages)
        asked = read_questions(passages)
        print(f"{len(passages)} passages, {len(asked)} questions, {sum(not one.answers for one in asked)} unanswerable")
        self._learnt = [one for one in asked if one.passage % _HELD_BACK]
        self._held_back = [one for one in asked if one.passage % _HELD_BACK == 0]
        self._chance = random.Random(_SEED)  # noqa: S311 - the same lessons in every run
        self._layout = Layout(passages, tokenizer, self._chance)

    def epoch(self) -> list[Batch]:
        """Return every question that is learnt from, in an order of its own."""
        self._chance.shuffle(self._learnt)
        return batches([self._layout.question(one) for one in self._learnt], _BATCH, self._chance)

    def held_back(self) -> list[Question]:
        """Return the others, each time the same."""
        self._chance.seed(_TEST_SEED)
        return [self._layout.question(one) for one in self._held_back]


def _copy(source: Sequence[torch.Tensor], target: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for one, other in zip(source, target, strict=True):
            other.copy_(one)


def _tokenizer(minilm: Path) -> Tokenizer:
    tokenizer = load_tokenizer(minilm / TOKENIZER_FILE)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.reading.teach", description="Teach MiniLM to read.")
    parser.add_argument("packages", type=Path, help="folder of Debian's packages, unpacked")
    parser.add_argument("minilm", type=Path, help="folder of model.safetensors, config.json and tokenizer.json")
    parser.add_argument("out", type=Path, help="folder for changes.npz and state.pt")
    parser.add_argument("--epochs", type=int, default=1, help="over the questions of questions.tsv.gz")
    parser.add_argument("--from", dest="state", type=Path, help="state.pt of an earlier run to go on from")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
