"""From cuts to chunks: heading paths that leave room for the text, and the model's limit kept to the letter."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from twin_feature_stream.handlers.cut import Level, Ruler, cuts
from twin_feature_stream.ports import Chunk
from twin_platform.embedding.port import Tokenizer

_PATH_SHARE = 4
"""A heading path may take a quarter of a chunk."""


def shortened(path: tuple[str, ...], tokenizer: Tokenizer, max_tokens: int) -> tuple[tuple[str, ...], int]:
    """Return the inner end of `path` that fits into a quarter of `max_tokens`, and the tokens it takes.

    A last heading that is too long alone is cut off.
    """
    room = max_tokens // _PATH_SHARE
    while path and (size := tokenizer.counts([" > ".join(path)])[0]) > room:
        path = path[1:] if len(path) > 1 else (path[0][: max(1, len(path[0]) * room // (size + 1))],)
    return path, size if path else 0


def chunks_of(pieces: Iterable[str], path: tuple[str, ...]) -> list[Chunk]:
    """Return one chunk per piece, all under the same headings."""
    return [Chunk(piece, path) for piece in pieces]


def pieces_of(text: str, places: Sequence[int], start: int, end: int) -> list[str]:
    """Return `text[start:end]` cut at `places`."""
    return [text[left:right] for left, right in pairwise([start, *places, end]) if left < right]


def within_limit(chunks: list[Chunk], tokenizer: Tokenizer, max_tokens: int, levels: Sequence[Level]) -> list[Chunk]:
    """Return `chunks`, those cut again that have more than `max_tokens` tokens when the model reads them alone.

    Rarely needed: a word that was cut, or a tokenizer that sees more in a piece than in the whole.
    """
    kept: list[Chunk] = []
    counts = tokenizer.counts([chunk.embedded_text for chunk in chunks])
    for chunk, count in zip(chunks, counts, strict=True):
        if count <= max_tokens or len(chunk.text) == 1:
            kept.append(chunk)
            continue
        ruler = Ruler(chunk.text, tokenizer)
        size = ruler.size(0, len(chunk.text))
        places = cuts(ruler, 0, len(chunk.text), max(1, min(size - 1, size * max_tokens // count)), levels)
        pieces = pieces_of(chunk.text, places or [len(chunk.text) // 2], 0, len(chunk.text))
        kept += within_limit(chunks_of(pieces, chunk.heading_path), tokenizer, max_tokens, levels)
    return kept
