"""Composition root: the one place that names the handlers, each in its place in the table."""

from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.handlers.chunk_code import ChunkSyntaxTree
from twin_feature_stream.handlers.chunk_markdown import ChunkMarkdown
from twin_feature_stream.handlers.chunk_prose import ChunkProse
from twin_feature_stream.handlers.clean_article import CleanArticle
from twin_feature_stream.handlers.clean_code import CleanCode
from twin_feature_stream.handlers.clean_post import CleanPost
from twin_feature_stream.handlers.embed_chunks import EmbedChunks
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.embedding.port import Embedder

SPECIAL_TOKENS = 2
"""What a model puts around every text, counted in its limit."""


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
