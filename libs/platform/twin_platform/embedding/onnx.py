"""Embedder on onnxruntime: a sentence-transformers model exported to ONNX, on the CPU."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it has no types
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as failures  # type: ignore[import-untyped]
from tokenizers import Encoding

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.errors import EmbeddingInterrupted, WeightsInvalid
from twin_platform.embedding.port import TokenStates, Vectors, never
from twin_platform.embedding.tokenizer import HuggingFaceTokenizer, load_tokenizer

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
_POOLING_FILE = "1_Pooling/config.json"
_PADDING = 8
"""Most tokens by which texts of one sub-batch differ. Measured: a run costs 2.5 ms and 0.16 ms for every token, padding
included, so what one run less saves, 16 tokens of padding take away."""
_TOKENS_PER_SUB_BATCH = 600
"""Three chunks of 200 tokens: beyond them, measured, a token costs more, since a core's cache holds no more."""

_FIRST_RUN_TOKENS = 256
"""No chunk is longer; a model that cannot read as many as its files promise is found out at once."""
_OUTPUT = "last_hidden_state"
_REFUSALS = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NoSuchFile,
    failures.NotImplemented,
    failures.RuntimeException,
)

Ids = NDArray[np.int64]
Session: TypeAlias = onnxruntime.InferenceSession


class OnnxEmbedder:
    """Mean pooling over the tokens, unit length, as the model's own configuration says. Thread-safe.

    Each core embeds a sub-batch of its own: measured on two, 8 to 12 % faster than both on one sub-batch, since neither
    waits for the other. A query does not wait for documents at all: it runs beside them and shares the cores.
    """

    def __init__(
        self,
        folder: Path,
        spec: EmbeddingSpec,
        threads: int | None = None,
        session: Session | None = None,
    ) -> None:
        """Load `model.onnx` and `tokenizer.json`.

        Args:
            threads: sub-batches embedded side by side; None takes as many as this process may use cores.
            session: of the folder's model, where it has been opened.

        Raises:
            WeightsInvalid: the folder holds no model of this spec.
        """
        self.spec = spec
        self.tokenizer = HuggingFaceTokenizer(folder / TOKENIZER_FILE, spec.id)
        self._truncating = load_tokenizer(folder / TOKENIZER_FILE)
        self._truncating.no_padding()
        self._truncating.enable_truncation(spec.max_tokens)
        self._side_by_side = SideBySide(threads, "embedder")
        self._session = session or open_session(folder)
        self._inputs = {each.name for each in self._session.get_inputs()}
        _check_pooling(folder)
        dimension = self._first_run(folder)
        if dimension != spec.dimension:
            raise WeightsInvalid(
                str(folder), f"its vectors have {dimension} dimensions, {spec.id!r} has {spec.dimension}"
            )

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        """Return one vector per text, in order; similar lengths share a sub-batch, so that little is padding."""
        vectors = np.empty((len(texts), self.spec.dimension), np.float32)
        tokenised = self._tokenise([self.spec.document_prefix + text for text in texts])

        def embed(sub_batch: list[int]) -> None:
            if stop():
                raise EmbeddingInterrupted
            vectors[sub_batch] = self._embed([tokenised[index] for index in sub_batch])

        self._side_by_side(embed, [len(ids) for ids in tokenised])
        return vectors

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return the states of each text's tokens, in order."""
        prefix = self.spec.document_prefix
        encodings = self._truncating.encode_batch([prefix + text for text in texts])
        tokenised = [np.array(encoding.ids, np.int64) for encoding in encodings]
        found: dict[int, TokenStates] = {}

        def embed(sub_batch: list[int]) -> None:
            hidden, _ = self._run([tokenised[index] for index in sub_batch])
            found.update(
                (index, _token_states(encodings[index], len(prefix), states))
                for index, states in zip(sub_batch, hidden, strict=True)
            )

        self._side_by_side(embed, [len(ids) for ids in tokenised])
        return [found[index] for index in range(len(texts))]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the query's vector, shape (dimension,)."""
        vector: NDArray[np.float32] = self._embed(self._tokenise([self.spec.query_prefix + text]))[0]
        return vector

    def _first_run(self, folder: Path) -> int:
        """Return the dimension of what the model gives, so that nobody else waits for its first run."""
        try:
            return len(self.embed_query("word " * min(self.spec.max_tokens, _FIRST_RUN_TOKENS)))
        except (ValueError, *_REFUSALS) as error:
            raise WeightsInvalid(str(folder), f"its graph does not run on a text: {error}") from error

    def _tokenise(self, texts: list[str]) -> list[Ids]:
        return [np.array(encoding.ids, np.int64) for encoding in self._truncating.encode_batch_fast(texts)]

    def _embed(self, tokenised: list[Ids]) -> Vectors:
        hidden, mask = self._run(tokenised)
        # The mean's divisor is left out: a vector of unit length has lost its length anyway.
        sums = (mask[:, np.newaxis, :] @ hidden)[:, 0, :]
        vectors: Vectors = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return vectors

    def _run(self, tokenised: list[Ids]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the states of all tokens, padding included, and 1 where a token is none."""
        shape = (len(tokenised), max(len(ids) for ids in tokenised))
        inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for row, ids in enumerate(tokenised):
            inputs["input_ids"][row, : len(ids)] = ids
            inputs["attention_mask"][row, : len(ids)] = 1
        (hidden,) = self._session.run(
            [_OUTPUT], {name: value for name, value in inputs.items() if name in self._inputs}
        )
        return hidden, inputs["attention_mask"].astype(np.float32)


class SideBySide:
    """Runs a model on sub-batches, as many at a time as there are threads."""

    def __init__(self, threads: int | None, name: str) -> None:
        """Take the number of threads, None for as many as this process may use cores, and their name."""
        self._threads, self._name = threads or _cores(), name

    def __call__(self, run: Callable[[list[int]], None], lengths: Sequence[int]) -> None:
        """Call `run` with the indices of every sub-batch of inputs that have these lengths in tokens."""
        # A pool of this call alone: another call's sub-batches take turns with these instead of waiting behind them.
        with ThreadPoolExecutor(self._threads, self._name) as pool:
            list(pool.map(run, _sub_batches(lengths)))


def _token_states(encoding: Encoding, prefix: int, hidden: NDArray[np.float32]) -> TokenStates:
    """Return the tokens after the first `prefix` code points."""
    own = [at for at, special in enumerate(encoding.special_tokens_mask) if not special]
    own = [at for at in own if encoding.offsets[at][1] > prefix]
    states = hidden[own]
    return TokenStates(
        tuple((max(0, start - prefix), end - prefix) for start, end in (encoding.offsets[at] for at in own)),
        states / np.linalg.norm(states, axis=1, keepdims=True),
    )


def _sub_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield indices by falling length; a sub-batch ends at its token budget, or where padding would cost too much.

    Texts come in small numbers while the flow keeps its epochs short, and then neighbours in length are far apart.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while order:
        longest = lengths[order[0]]
        most = max(1, _TOKENS_PER_SUB_BATCH // longest)
        count = sum(lengths[index] >= longest - _PADDING for index in order[:most])
        yield order[:count]
        order = order[count:]


def open_session(folder: Path, output: str = _OUTPUT) -> Session:
    """Load the folder's `model.onnx`.

    Raises:
        WeightsInvalid: it is none, or does not give `output`.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Every sub-batch has another shape: remembered memory patterns would not fit the next one, and take memory.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    model = str(folder / MODEL_FILE)
    try:
        session = Session(model, options, providers=["CPUExecutionProvider"])
    except _REFUSALS as error:
        raise WeightsInvalid(str(folder), str(error)) from error
    outputs = [each.name for each in session.get_outputs()]
    if output not in outputs:
        raise WeightsInvalid(str(folder), f"its graph gives {outputs}, not {output!r}")
    return session


def dimension_of(folder: Path, session: Session) -> int:
    """Return the dimension of the model's vectors, by letting it read one token.

    Raises:
        WeightsInvalid: it cannot.
    """
    try:
        (hidden,) = session.run([_OUTPUT], {each.name: np.ones((1, 1), np.int64) for each in session.get_inputs()})
    except (ValueError, *_REFUSALS) as error:
        raise WeightsInvalid(str(folder), f"its graph does not run on a text: {error}") from error
    return int(hidden.shape[-1])


def _check_pooling(folder: Path) -> None:
    """Refuse a model that wants another pooling than the mean; a folder without the file wants the mean."""
    file = folder / _POOLING_FILE
    if not file.exists():
        return
    pooling = json.loads(file.read_text(encoding="utf-8"))
    # sentence-transformers wrote a flag per mode before it wrote the mode's name.
    if pooling.get("pooling_mode", "mean") != "mean" or not pooling.get("pooling_mode_mean_tokens", True):
        raise WeightsInvalid(str(folder), f"{_POOLING_FILE} asks for another pooling than the mean over all tokens")


def _cores() -> int:
    """Return the cores that this process may use, which in a container are fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
