"""The embedder's rate beside a bare ONNX loop on the same chunks, and how long a query takes beside documents.

The bare loop is the least that can be written: tokenise all, sort by length, run the graph batch by batch, take the
mean, at the batch size that was best on this machine. It knows no stop, no order of the texts and no query beside it.
The two take short turns, each first every other time, since a machine's speed drifts; each round gives a ratio, and the
figure is their median. Its quartiles are printed: where they lie far apart, the machine was busy with other work.
"""

import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it has no types
from tokenizers import Tokenizer

from benchmarks.report import Row, report
from benchmarks.texts import source
from twin_cli.inputs import read_inputs
from twin_contracts.embedding import MINILM
from twin_platform.embedding.errors import EmbeddingInterrupted
from twin_platform.embedding.onnx import OnnxEmbedder
from twin_platform.embedding.open import EmbeddingSettings, find_weights
from twin_platform.embedding.port import Embedder

ROUNDS = 24
CHUNKS = 32
SHORTEST, LONGEST = 140, 250
"""Tokens of a chunk; 195 on average."""
BATCH_SIZES = (1, 2, 4, 8, 16)
QUERIES = 50
GOAL = 0.95


class BareLoop:
    """An ONNX session and a tokenizer with the options they come with."""

    def __init__(self, folder: Path) -> None:
        self._session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MINILM.max_tokens)

    def embed(self, texts: list[str], batch_size: int) -> None:
        """Embed and forget."""
        tokenised = sorted((encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)), key=len)
        for start in range(0, len(tokenised), batch_size):
            batch = tokenised[start : start + batch_size]
            ids = np.zeros((len(batch), len(batch[-1])), np.int64)
            mask = np.zeros_like(ids)
            for row, each in enumerate(batch):
                ids[row, : len(each)] = each
                mask[row, : len(each)] = 1
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            given = {each.name: inputs[each.name] for each in self._session.get_inputs()}
            (hidden,) = self._session.run(["last_hidden_state"], given)
            means = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            means / np.linalg.norm(means, axis=1, keepdims=True)

    def best_batch_size(self, texts: list[str]) -> int:
        """Return the batch size that is fastest on the first of these texts, in the best of three tries each."""
        part = texts[:CHUNKS]
        tries = [{size: rate(part, partial(self.embed, batch_size=size)) for size in BATCH_SIZES} for _ in range(3)]
        return max(BATCH_SIZES, key=lambda size: max(each[size] for each in tries))


def rate(texts: list[str], embed: Callable[[list[str]], object]) -> float:
    """Return texts per second."""
    began = time.perf_counter()
    embed(texts)
    return len(texts) / (time.perf_counter() - began)


def chunks(embedder: Embedder) -> list[str]:
    """Cut the benchmark's texts into chunks of 195 tokens on average."""
    found = [each.document.text for each in read_inputs([source()], author=None) if each.document]
    text = "\n\n".join(found)
    spans = embedder.tokenizer.spans(text)
    lengths = random.Random(195)  # noqa: S311 - the same chunks in every run
    pieces = []
    first = 0
    while first < len(spans):
        last = min(first + lengths.randint(SHORTEST, LONGEST), len(spans)) - 1
        pieces.append(text[spans[first][0] : spans[last][1]])
        first = last + 1
    lengths.shuffle(pieces)
    return pieces[:CHUNKS]


def query_milliseconds(embedder: Embedder) -> list[float]:
    """Return how long single queries take."""
    took = []
    for _ in range(QUERIES):
        began = time.perf_counter()
        embedder.embed_query("How does a vector index stay fresh?")
        took.append((time.perf_counter() - began) * 1000)
    return took


def query_milliseconds_beside(embedder: Embedder, texts: list[str]) -> list[float]:
    """Return how long single queries take while another thread embeds documents."""
    done = threading.Event()

    def embed() -> None:
        try:
            while True:
                embedder.embed_documents(texts, done.is_set)
        except EmbeddingInterrupted:
            return

    documents = threading.Thread(target=embed)
    documents.start()
    try:
        return query_milliseconds(embedder)
    finally:
        done.set()
        documents.join()


def query_rows(name: str, took: list[float]) -> list[Row]:
    """Return the median and the slow end."""
    return [
        Row(f"query {name}, p50", float(np.percentile(took, 50)), "ms"),
        Row(f"query {name}, p95", float(np.percentile(took, 95)), "ms"),
    ]


def main() -> int:
    """Measure, print and write the result."""
    folder = find_weights(EmbeddingSettings(), print)
    embedder = OnnxEmbedder(folder, MINILM)
    texts = chunks(embedder)
    loop = BareLoop(folder)
    size = loop.best_batch_size(texts)
    turns: list[Callable[[list[str]], object]] = [partial(loop.embed, batch_size=size), embedder.embed_documents]
    rates: list[list[float]] = [[], []]
    for number in range(ROUNDS):
        for turn in (0, 1) if number % 2 else (1, 0):
            rates[turn].append(rate(texts, turns[turn]))
    bare, ours = rates
    low, ratio, high = statistics.quantiles(mine / its for mine, its in zip(ours, bare, strict=True))
    print(f"{len(texts)} chunks, {ROUNDS} rounds; ratio's quartiles {low:.3f}, {ratio:.3f}, {high:.3f}")
    beside = f"bare length-sorted ONNX loop, batches of {size}"
    rows = [
        Row(beside, statistics.median(bare), "chunks/s"),
        Row("embedder", statistics.median(ours), "chunks/s", beside, ratio, f">= {GOAL}", ratio >= GOAL),
        *query_rows("alone", query_milliseconds(embedder)),
        *query_rows("beside documents", query_milliseconds_beside(embedder, texts)),
    ]
    report("embedder", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
