"""Cut prose without headings: whole where it fits, else by paragraphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from twin_feature_stream.handlers.chunks import pieces_of, within_limit
from twin_feature_stream.handlers.cut import Ruler, cuts
from twin_feature_stream.handlers.levels import PROSE
from twin_feature_stream.ports import Chunk, CleanDocument
from twin_platform.embedding.port import Tokenizer


@dataclass(frozen=True)
class ChunkProse:
    """Cut at paragraphs, then sentences. Joining the chunks' own text in order gives back the text."""

    version: ClassVar[int] = 1

    tokenizer: Tokenizer
    max_tokens: int

    def __call__(self, document: CleanDocument) -> Sequence[Chunk]:
        """Return the chunks in order; none is above `max_tokens`."""
        text = document.text
        places = cuts(Ruler(text, self.tokenizer), 0, len(text), self.max_tokens, PROSE)
        chunks = [Chunk(piece) for piece in pieces_of(text, places)]
        return within_limit(chunks, self.tokenizer, self.max_tokens, PROSE)
