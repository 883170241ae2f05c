"""What tests of chunkers share: documents to cut, and the promises that every chunker keeps."""

from collections.abc import Sequence

from twin_contracts.base import uuid_of
from twin_contracts.documents import DocumentType
from twin_contracts.records import Metadata, text_hash_of
from twin_feature_stream.ports import Chunk, CleanDocument
from twin_platform.embedding.port import Tokenizer


def clean_document(text: str, title: str | None = None, language: str | None = None) -> CleanDocument:
    metadata = Metadata(
        type=DocumentType.ARTICLE,
        author="ada",
        author_name="Ada",
        platform="test",
        title=title,
        language=language,
    )
    return CleanDocument(uuid_of("test", text[:100]), text, metadata)


def assert_whole(chunks: Sequence[Chunk], text: str) -> None:
    assert "".join(chunk.text for chunk in chunks) == text


def assert_within(chunks: Sequence[Chunk], tokenizer: Tokenizer, limit: int) -> None:
    assert max(tokenizer.counts([chunk.embedded_text for chunk in chunks]), default=0) <= limit


def embedded(chunks: Sequence[Chunk]) -> set[str]:
    return {text_hash_of(chunk.embedded_text) for chunk in chunks}
