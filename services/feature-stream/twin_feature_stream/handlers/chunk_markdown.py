"""Cut a Markdown article at its headings."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from twin_feature_stream.handlers.chunks import shortened, within_limit
from twin_feature_stream.handlers.cut import Ruler, cuts
from twin_feature_stream.handlers.levels import FENCES, MARKDOWN, PROSE
from twin_feature_stream.handlers.markdown_sections import sections
from twin_feature_stream.ports import Chunk, CleanDocument
from twin_platform.embedding.port import Tokenizer

_PATH_SHARE = 4
"""The heading path may take a quarter of a chunk."""


@dataclass(frozen=True)
class ChunkMarkdown:
    """Split an article at its headings; each chunk carries the path of headings above it.

    A section longer than `max_tokens` is split at paragraphs and fences, then sentences. Joining the chunks' own text
    in order gives back the article's text. No chunk spans two sections, so a renamed heading touches what stands
    under it and nothing else.
    """

    version: ClassVar[int] = 1

    tokenizer: Tokenizer
    max_tokens: int

    def __call__(self, document: CleanDocument) -> Sequence[Chunk]:
        """Return the chunks in order; none is above `max_tokens`, its heading path included."""
        text = document.text
        ruler = Ruler(text, self.tokenizer)
        levels = MARKDOWN if any(fence in text for fence in FENCES) else PROSE  # the same cuts there, found faster
        chunks: list[Chunk] = []
        for start, end, headings in sections(text):
            path, taken = shortened(headings, self.tokenizer, self.max_tokens // _PATH_SHARE)
            places = cuts(ruler, start, end, self.max_tokens - taken, levels)
            chunks += [Chunk(text[left:right], path) for left, right in pairwise([start, *places, end])]
        return within_limit(chunks, self.tokenizer, self.max_tokens, levels)
