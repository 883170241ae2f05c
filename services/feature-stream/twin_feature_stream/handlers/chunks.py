"""From cuts to chunks: heading paths that leave room for the text, and the model's limit kept to the letter."""

from collections.abc import Sequence
from itertools import pairwise

from twin_feature_stream.handlers.cut import Level, Ruler, cuts
from twin_feature_stream.ports import Chunk
from twin_platform.embedding.port import Tokenizer

_SPACES = " \t\n"


def shortened(path: tuple[str, ...], tokenizer: Tokenizer, room: int) -> tuple[tuple[str, ...], int]:
    """Return the inner end of a heading path that fits into `room` tokens, and the tokens it takes.

    A last heading that is too long by itself is cut off.
    """
    size = tokenizer.counts([" > ".join(path)])[0] if path else 0
    while size > room:
        path = path[1:] if len(path) > 1 else _cut_off(path[0], room / size)
        size = tokenizer.counts([" > ".join(path)])[0] if path else 0
    return path, size


def _cut_off(heading: str, share: float) -> tuple[str, ...]:
    kept = heading[: min(len(heading) - 1, int(len(heading) * share))].strip()
    return (kept,) if kept else ()


def pieces_of(text: str, places: Sequence[int]) -> list[str]:
    """Return `text` cut at `places`; an empty text has no pieces."""
    return [text[left:right] for left, right in pairwise([0, *places, len(text)]) if left < right]


def within_limit(
    chunks: Sequence[Chunk], tokenizer: Tokenizer, max_tokens: int, levels: Sequence[Level]
) -> list[Chunk]:
    """Return consecutive `chunks`, those cut again that have more than `max_tokens` tokens when read alone.

    Only a chunk that begins or ends inside a word is read again: on both sides of a space a tokenizer sees the same,
    together or alone.
    """
    texts = ["", *(chunk.text for chunk in chunks), ""]
    apart = [_apart(left, right) for left, right in pairwise(texts)]
    kept: list[Chunk] = []
    for chunk, (before, after) in zip(chunks, pairwise(apart), strict=True):
        kept += [chunk] if before and after else _cut_again(chunk, tokenizer, max_tokens, levels)
    return kept


def _apart(left: str, right: str) -> bool:
    return not left or not right or left[-1] in _SPACES or right[0] in _SPACES


def _cut_again(chunk: Chunk, tokenizer: Tokenizer, max_tokens: int, levels: Sequence[Level]) -> list[Chunk]:
    """Return the chunk, or its pieces where it is too long."""
    count = tokenizer.counts([chunk.embedded_text])[0]
    if count <= max_tokens or len(chunk.text) == 1:
        return [chunk]
    ruler = Ruler(chunk.text, tokenizer)
    size = ruler.size(0, len(chunk.text))
    limit = max(1, min(size - 1, size * max_tokens // count))
    places = cuts(ruler, 0, len(chunk.text), limit, levels) or [len(chunk.text) // 2]
    pieces = [Chunk(piece, chunk.heading_path) for piece in pieces_of(chunk.text, places)]
    return [part for piece in pieces for part in _cut_again(piece, tokenizer, max_tokens, levels)]
