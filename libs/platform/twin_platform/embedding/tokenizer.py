"""The embedding model's own tokenizer, by Hugging Face's `tokenizers`."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer as Loaded

from twin_platform.embedding.errors import WeightsInvalid

_WINDOW = 32_768
_WINDOWS_AT_ONCE = 16
_BOUNDARY = re.compile(r"[^\S\x0b\x0c\x1c-\x1f\x85]|[\u3400-\u4dbf\u4e00-\u9fff]")
"""White space, and the ideographs that BERT makes a token each: no token reaches across what stands before one.

Control characters that Python, too, counts as white space BERT leaves out: what stands around them is one word.
"""


class HuggingFaceTokenizer:
    """Tokens of one `tokenizer.json`. Thread-safe.

    A long text is tokenised in windows, which end where no token could go on: the spans are those of the whole text,
    and memory stays flat (10 MB at once take gigabytes). Only a word longer than two windows is cut, and counts more
    tokens than the one "unknown" that the model would make of it.
    """

    def __init__(self, file: Path, spec_id: str) -> None:
        self._spec_id = spec_id
        self._tokenizer = load_tokenizer(file)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the tokens of `text` as (start, end) in code points, special tokens left out, none truncated."""
        spans: list[tuple[int, int]] = []
        for offset, window in _windows(text):
            found = self._tokenizer.encode(window, add_special_tokens=False).offsets
            spans += [(start + offset, end + offset) for start, end in found] if offset else found
        return spans

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return each text's number of tokens, special tokens left out."""
        counts = [0] * len(texts)
        windows = ((index, window) for index, text in enumerate(texts) for _, window in _windows(text))
        # Several at once, so that every core counts; not all, since a token takes far more memory than its text.
        while batch := list(islice(windows, _WINDOWS_AT_ONCE)):
            encodings = self._tokenizer.encode_batch_fast([window for _, window in batch], add_special_tokens=False)
            for (index, _), encoding in zip(batch, encodings, strict=True):
                counts[index] += len(encoding.ids)
        return counts

    def __repr__(self) -> str:
        """Name the spec: the tokenizer's part of a pipeline's hash."""
        return f"HuggingFaceTokenizer(spec={self._spec_id!r})"


def load_tokenizer(file: Path) -> Loaded:
    """Return a tokenizer of its own, whose truncation and padding are the caller's to set.

    Raises:
        WeightsInvalid: the file is no tokenizer.
    """
    try:
        return Loaded.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise WeightsInvalid(str(file.parent), f"tokenizer.json: {error}") from error


def _windows(text: str) -> Iterator[tuple[int, str]]:
    """Cut `text` at the first boundary after each window's length; yield (offset, piece)."""
    start = 0
    while start < len(text):
        limit = start + 2 * _WINDOW
        boundary = _BOUNDARY.search(text, start + _WINDOW, limit)
        end = boundary.start() if boundary else min(limit, len(text))
        yield start, text[start:end]
        start = end
