"""The promises of cleaning and cutting, on the corpus and on real articles where their file is at hand."""

from collections.abc import Sequence

import pytest

from fakes.corpus import load_articles, load_corpus
from fakes.embedding import HashEmbedder
from twin_contracts.documents import Raw
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.ports import CleanDocument
from twin_platform.embedding.port import Tokenizer
from unit.feature_stream.chunking import assert_whole, assert_within


def assert_cut_well(documents: Sequence[Raw], tokenizer: Tokenizer) -> None:
    embedder = HashEmbedder()
    embedder.tokenizer = tokenizer  # type: ignore[assignment]  # another tokenizer than the fake's own
    registry = build_registry(embedder)
    for document in documents:
        clean = registry.clean(document.type)(document)
        assert isinstance(clean, CleanDocument), document.source.url
        chunks = registry.chunk(document.type)(clean)
        assert_whole(chunks, clean.text)
        assert_within(chunks, tokenizer, 220)
        assert all(chunk.text.strip() for chunk in chunks)


def test_the_corpus_is_cut_without_loss(tokenizer: Tokenizer) -> None:
    assert_cut_well(load_corpus(), tokenizer)


@pytest.mark.articles
def test_real_articles_are_cut_without_loss(word_pieces: Tokenizer) -> None:
    assert_cut_well(load_articles(), word_pieces)
