"""What an edit costs: the chunks around it are embedded again, and no others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.oracle import Verdict
from fakes.chain import Chain
from fakes.corpus import LONG_LINE, corpus_document, load_corpus
from twin_contracts.documents import RawArticle


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain(tmp_path).opened() as chain:
        yield chain


def lengthened(document: RawArticle, share: float) -> RawArticle:
    """Return the document with one sentence of its long line, that far into it, made longer."""
    line = max(document.text.splitlines(), key=len)
    end = line.index(". ", int(len(line) * share))
    longer = f"{line[:end]}, although nobody but the neighbour's cat had expected as much{line[end:]}"
    return document.model_copy(update={"text": document.text.replace(line, longer)})


def test_a_longer_sentence_anywhere_in_a_line_of_30_000_characters_costs_at_most_4_embeddings(chain: Chain) -> None:
    document = corpus_document(LONG_LINE)
    assert isinstance(document, RawArticle)
    assert max(map(len, document.text.splitlines())) >= 30_000
    costs = []
    with chain.running():
        chain.put(document)
        chain.wait_until_quiet()
        whole = len(chain.embedder.embedded)
        for share in (0.0, 0.5, 0.99):
            before = len(chain.embedder.embedded)
            chain.put(lengthened(document, share))
            chain.wait_until_quiet()
            costs.append(len(chain.embedder.embedded) - before)
            chain.put(document)
            chain.wait_until_quiet()

    assert whole > 30
    assert all(1 <= cost <= 4 for cost in costs), costs


def test_the_same_corpus_again_embeds_nothing_and_changes_nothing(chain: Chain) -> None:
    with chain.running():
        for document in load_corpus():
            chain.put(document)
        chain.wait_until_quiet()
        before = len(chain.embedder.embedded)
        for document in load_corpus():
            chain.put(document)
        chain.resync()
        chain.wait_until_quiet()

    assert len(chain.embedder.embedded) == before
    assert chain.verdict() == Verdict(lost=0, stale=0, orphans=0, unexpected=0)
