"""The table of strategies: which handler does which stage for which type of document."""

import hashlib
from collections.abc import Mapping
from typing import cast

from twin_contracts.base import Digest
from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.errors import HandlersMissing
from twin_feature_stream.handlers.chunk_code import ChunkSyntaxTree
from twin_feature_stream.handlers.chunk_markdown import ChunkMarkdown
from twin_feature_stream.handlers.chunk_prose import ChunkProse
from twin_feature_stream.handlers.clean_article import CleanArticle
from twin_feature_stream.handlers.clean_code import CleanCode
from twin_feature_stream.handlers.clean_post import CleanPost
from twin_feature_stream.handlers.embed_chunks import EmbedChunks
from twin_feature_stream.ports import ChunkHandler, CleanHandler, EmbedHandler, Handler
from twin_platform.embedding.port import Embedder

HANDLED_STAGES = (Stage.CLEAN, Stage.CHUNK, Stage.EMBED)
"""Stages that every document passes by a handler of its type; the others are the flow's own."""

SPECIAL_TOKENS = 2
"""What a model puts around every text, counted in its limit."""


class HandlerRegistry:
    """Every pair of document type and handled stage has exactly one handler; a gap refuses to start."""

    def __init__(self, table: Mapping[tuple[DocumentType, Stage], Handler]) -> None:
        """Take the table.

        Raises:
            HandlersMissing: a pair is missing.
        """
        pairs = [(kind, stage) for kind in DocumentType for stage in HANDLED_STAGES]
        missing = tuple(pair for pair in pairs if pair not in table)
        if missing:
            raise HandlersMissing(missing)
        self._table = dict(table)

    def clean(self, kind: DocumentType) -> CleanHandler:
        """Return the handler that turns raw documents of this type into clean ones."""
        return cast("CleanHandler", self._table[kind, Stage.CLEAN])

    def chunk(self, kind: DocumentType) -> ChunkHandler:
        """Return the handler that cuts clean documents of this type."""
        return cast("ChunkHandler", self._table[kind, Stage.CHUNK])

    def embed(self, kind: DocumentType) -> EmbedHandler:
        """Return the handler that embeds chunks of this type."""
        return cast("EmbedHandler", self._table[kind, Stage.EMBED])

    def pipeline(self, kind: DocumentType) -> Digest:
        """Return the hash of what this type's handlers do: equal over processes, new with every version or setting."""
        handlers = [self._table[kind, stage] for stage in HANDLED_STAGES]
        told = "\n".join(f"{handler!r} {handler.version}" for handler in handlers)
        return hashlib.sha256(told.encode()).hexdigest()


def build_registry(embedder: Embedder) -> HandlerRegistry:
    """Return the complete strategy table; a missing pair stops the service at start."""
    embed = EmbedChunks(embedder)
    room = embedder.spec.max_tokens - SPECIAL_TOKENS
    prose = ChunkProse(embedder.tokenizer, max_tokens=min(128, room))
    markdown = ChunkMarkdown(embedder.tokenizer, max_tokens=min(220, room))
    code = ChunkSyntaxTree(embedder.tokenizer, max_tokens=min(220, room))
    return HandlerRegistry(
        {
            (DocumentType.POST, Stage.CLEAN): CleanPost(),
            (DocumentType.POST, Stage.CHUNK): prose,
            (DocumentType.POST, Stage.EMBED): embed,
            (DocumentType.ARTICLE, Stage.CLEAN): CleanArticle(),
            (DocumentType.ARTICLE, Stage.CHUNK): markdown,
            (DocumentType.ARTICLE, Stage.EMBED): embed,
            (DocumentType.CODE, Stage.CLEAN): CleanCode(),
            (DocumentType.CODE, Stage.CHUNK): code,
            (DocumentType.CODE, Stage.EMBED): embed,
        }
    )
