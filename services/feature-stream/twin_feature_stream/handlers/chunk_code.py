"""Cut source code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from twin_feature_stream.handlers.chunks import chunks_of, pieces_of, shortened, within_limit
from twin_feature_stream.handlers.cut import Ruler, cuts
from twin_feature_stream.handlers.levels import SOURCE
from twin_feature_stream.ports import Chunk, CleanDocument
from twin_platform.embedding.port import Tokenizer


@dataclass(frozen=True)
class ChunkSyntaxTree:
    """Cut at blank lines and lines; each chunk carries the file's path."""

    version: ClassVar[int] = 1

    tokenizer: Tokenizer
    max_tokens: int

    def __call__(self, document: CleanDocument) -> Sequence[Chunk]:
        """Return the chunks in order; none is above `max_tokens`, its path included."""
        text = document.text
        name = document.metadata.title
        path, taken = shortened((name,) if name else (), self.tokenizer, self.max_tokens)
        places = cuts(Ruler(text, self.tokenizer), 0, len(text), self.max_tokens - taken, SOURCE)
        chunks = chunks_of(pieces_of(text, places, 0, len(text)), path)
        return within_limit(chunks, self.tokenizer, self.max_tokens, SOURCE)
