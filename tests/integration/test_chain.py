"""The chain on its embedded stores: commits end in both snapshots, edits embed what changed, nothing stays behind."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks.oracle import Verdict
from fakes.chain import Chain
from fakes.embedding import HashEmbedder
from fakes.flow import article, eventually, post
from twin_contracts.documents import DocumentType
from twin_contracts.records import RecordStatus, Stage
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.ports import Chunk, CleanDocument
from twin_feature_stream.registry import HandlerRegistry

EXACT = Verdict(lost=0, stale=0, orphans=0, unexpected=0)
SECTIONS = [
    (f"Section {name}", f"The {name} was painted {colour}. It stood by the river for {years} years.")
    for name, colour, years in (("barn", "red", 40), ("mill", "white", 80), ("bridge", "green", 120))
]


def sections(first_heading: str = SECTIONS[0][0]) -> str:
    headings = [first_heading, *(heading for heading, _ in SECTIONS[1:])]
    return "\n\n".join(f"## {heading}\n\n{text}" for heading, (_, text) in zip(headings, SECTIONS, strict=True))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain(tmp_path).opened() as chain:
        yield chain


def test_what_was_written_before_and_while_the_services_run_is_indexed(chain: Chain) -> None:
    chain.put(post("before", "Written before anything ran."))
    with chain.running():
        for number in range(30):
            chain.put(post(f"while-{number}", f"Text number {number} was written while all ran."))
        chain.wait_until_quiet()

    assert chain.verdict() == EXACT
    assert chain.search("Text number 17 was written")[0].payload.text == "Text number 17 was written while all ran."


def test_what_changed_while_nothing_ran_is_caught_up(chain: Chain) -> None:
    gone, edited = post("gone", "This will be deleted."), post("edited", "This will be edited.")
    with chain.running():
        chain.put(gone)
        chain.put(edited)
        chain.wait_until_quiet()
    chain.delete(gone)
    chain.put(post("edited", "This was edited."))
    with chain.running():
        chain.wait_until_quiet()

    assert chain.verdict() == EXACT
    assert chain.texts(edited) == ["This was edited."]


def test_a_renamed_heading_embeds_only_its_own_chunks_again(chain: Chain) -> None:
    with chain.running():
        chain.put(article("farm", sections()))
        chain.wait_until_quiet()
        before = len(chain.embedder.embedded)
        chain.put(article("farm", sections("Section barn, renamed")))
        chain.wait_until_quiet()

    again = chain.embedder.embedded[before:]
    assert len(again) == 1
    assert "renamed" in again[0]
    assert "painted red" in again[0]
    assert chain.verdict() == EXACT


def test_a_deleted_article_leaves_no_point_but_its_tombstone(chain: Chain) -> None:
    farm = article("farm", sections())
    with chain.running():
        chain.put(farm)
        chain.wait_until_quiet()
        chain.delete(farm)
        chain.wait_until_quiet()

    assert list(chain.features.chunks(farm.id)) == []
    assert chain.features.count_chunks() == 0
    record = chain.features.records([farm.id])[farm.id]
    assert (record.status, record.text, record.metadata) == (RecordStatus.DELETED, None, None)


@dataclass(frozen=True)
class ChunkByWords:
    """A new pipeline: ten words a chunk."""

    version: ClassVar[int] = 1

    def __call__(self, document: CleanDocument) -> list[Chunk]:
        words = document.text.split()
        return [Chunk(" ".join(words[at : at + 10])) for at in range(0, len(words), 10)]


def new_pipeline(embedder: HashEmbedder) -> HandlerRegistry:
    table = dict(build_registry(embedder)._table)
    table[DocumentType.ARTICLE, Stage.CHUNK] = ChunkByWords()
    return HandlerRegistry(table)


def test_a_new_pipeline_and_a_resync_rewrite_everything_searchable_all_the_while(chain: Chain) -> None:
    farms = [article(f"farm-{number}", sections() + f"\n\nFarm {number} has {number} geese.") for number in range(12)]
    with chain.running():
        for farm in farms:
            chain.put(farm)
        chain.wait_until_quiet()
    old = {record.revision for record in chain.features.find_records()}
    chain.registry = new_pipeline(chain.embedder)
    misses: list[int] = []
    done = threading.Event()

    def finds(number: int) -> bool:
        return any(f"{number} geese" in hit.payload.text for hit in chain.search(f"Farm {number} geese", 12))

    def read() -> None:
        while not done.is_set():
            misses.extend(number for number in range(len(farms)) if not finds(number))

    reader = threading.Thread(target=read)
    reader.start()
    with chain.running():
        chain.resync()
        chain.wait_until_quiet()
    done.set()
    reader.join(20)

    assert not misses
    assert old.isdisjoint(record.revision for record in chain.features.find_records())
    assert all(len(text.split()) <= 10 for farm in farms for text in chain.texts(farm))
    assert chain.verdict() == EXACT


def test_lost_vectors_come_back_by_themselves(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    with chain.opened(), chain.running():
        chain.put(article("farm", sections()))
        chain.wait_until_quiet()
    (tmp_path / "vectors").rename(tmp_path / "away")
    with chain.opened():
        with chain.running():
            eventually(lambda: not chain.features.is_empty())
            chain.wait_until_quiet()

        assert chain.verdict() == EXACT


def test_a_lost_log_is_declared_anew_and_everything_comes_again(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    farm = article("farm", sections())
    with chain.opened(), chain.running():
        chain.put(farm)
        chain.wait_until_quiet()
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    with chain.opened():
        chain.delete(farm)
        chain.put(post("new", "Written while the log was gone."))
        with chain.running():
            chain.wait_until_quiet()

        assert chain.verdict() == EXACT
