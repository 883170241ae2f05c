"""Reader on onnxruntime: MiniLM, taught to read a question and a text together (`docs/decisions/0016-reader.md`)."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as TokenizersTokenizer

from twin_platform.embedding.onnx import TOKENIZER_FILE, Session, SideBySide, open_session
from twin_platform.embedding.tokenizer import load_tokenizer
from twin_platform.reading.port import Excerpt, Scores

CHANGES: Final = Path(__file__).with_name("changes.npz")
"""What makes a reader of MiniLM.

`NAME.up` times `NAME.down` is added to the matrix NAME, another array to the vector of its name; what MiniLM does not
have is the reader's own.
"""
OUTPUT: Final = "token_scores"
"""Three figures for every token: see `_scores`."""

_QUESTION: Final = 48
_HEADING: Final = 16
_SENTENCE: Final = 90
"""Most tokens that are read of each; the rest is not seen. As in training."""
_WINDOW: Final = 160
"""Tokens of sentences that are read at once; a longer excerpt is read in windows that share a sentence if two fit."""
UNREAD: Final = -20.0
"""The score of a sentence without a token."""


class Window(NamedTuple):
    """What the model reads at once: the question, a heading, some sentences."""

    tokens: NDArray[np.int64]
    types: NDArray[np.int64]
    """0 for the question, 1 for the text."""
    spans: tuple[tuple[int, int], ...]
    """Where the sentences stand, as (start, end); empty where one has no token."""


class Windows:
    """Lays out questions and excerpts as the model was taught to read them."""

    def __init__(self, tokenizer: TokenizersTokenizer) -> None:
        """Take a tokenizer that neither pads nor truncates."""
        self._tokenizer = tokenizer
        self._start, self._separator = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))

    def of(self, question: str, excerpt: Excerpt) -> Iterator[tuple[int, Window]]:
        """Yield the windows over an excerpt, each with the number of its first sentence."""
        asked = self._ids(question, _QUESTION)
        heading = self._ids(excerpt.heading, _HEADING)
        sentences = [self._ids(one, _SENTENCE) for one in excerpt.sentences]
        first = 0
        while first < len(sentences):
            end, room = first + 1, _WINDOW - len(sentences[first])
            while end < len(sentences) and len(sentences[end]) <= room:
                room -= len(sentences[end])
                end += 1
            yield first, self.window(asked, heading, sentences[first:end])
            again = end < len(sentences) and len(sentences[end - 1]) + len(sentences[end]) <= _WINDOW
            first = end - 1 if again else end  # a sentence with no room for the next one has been read already

    def window(self, asked: list[int], heading: list[int], sentences: Sequence[list[int]]) -> Window:
        """Return `[CLS] question [SEP] heading [SEP] sentences [SEP]`, without a heading where there is none."""
        tokens = [self._start, *asked, self._separator]
        of_question = len(tokens)
        tokens += [*heading, self._separator] if heading else []
        spans = []
        for sentence in sentences:
            spans.append((len(tokens), len(tokens) + len(sentence)))
            tokens += sentence
        tokens.append(self._separator)
        types = np.arange(len(tokens)) >= of_question
        return Window(np.array(tokens, np.int64), types.astype(np.int64), tuple(spans))

    def _ids(self, text: str, most: int) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids[:most])


class OnnxReader:
    """Loads the model at the first question: who has a language model may never ask one."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """Take a folder of `model.onnx` and `tokenizer.json`, as `open_reader` builds it."""
        self._folder = folder
        self._side_by_side = SideBySide(threads, "reader")
        self._loading = Lock()
        tokenizer = load_tokenizer(folder / TOKENIZER_FILE)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._windows = Windows(tokenizer)

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[Scores]:
        """Return the scores of each excerpt's sentences, in order; one that two windows share has its better one."""
        scores = [np.full(len(excerpt.sentences), UNREAD, np.float32) for excerpt in excerpts]
        windows = [
            (found[first : first + len(window.spans)], window)
            for found, excerpt in zip(scores, excerpts, strict=True)
            for first, window in self._windows.of(question, excerpt)
        ]
        read_scores: dict[int, Scores] = {}

        def read(sub_batch: list[int]) -> None:
            token_scores = self._run([windows[index][1] for index in sub_batch])
            for index, tokens in zip(sub_batch, token_scores, strict=True):
                read_scores[index] = _scores(tokens, windows[index][1].spans)

        self._side_by_side(read, [len(window.tokens) for _, window in windows])
        # Not by the threads: two of them may have read the same sentence.
        for index, (found, _) in enumerate(windows):
            np.maximum(found, read_scores[index], out=found)
        return scores

    def _run(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        shape = (len(windows), max(len(window.tokens) for window in windows))
        inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for row, window in enumerate(windows):
            inputs["input_ids"][row, : len(window.tokens)] = window.tokens
            inputs["token_type_ids"][row, : len(window.types)] = window.types
            inputs["attention_mask"][row, : len(window.tokens)] = 1
        with self._loading:
            session = self._session
        (token_scores,) = session.run([OUTPUT], inputs)
        return np.asarray(token_scores, np.float32)

    @cached_property
    def _session(self) -> Session:
        return open_session(self._folder, OUTPUT)


def _scores(tokens: NDArray[np.float32], spans: Sequence[tuple[int, int]]) -> Scores:
    """Return the scores of the sentences at `spans`.

    Of each token the first figure says how likely it belongs to the answer, the second how likely its sentence
    answers; the third, of the first token alone, how likely the text answers at all.
    """
    return np.array(
        [
            tokens[start:end, 0].max() + tokens[start:end, 1].mean() + tokens[0, 2] if end > start else UNREAD
            for start, end in spans
        ],
        np.float32,
    )
