"""kill -9 of `twin up`, five times, while an import is under way: it goes on by itself and ends with everything."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.oracle import Verdict, judge_folder
from benchmarks.system import RunningSystem, running_system
from fakes.flow import eventually
from twin_cli.inputs import read_inputs
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import content_hash
from twin_contracts.embedding import MINILM
from twin_platform.documents.open import open_document_store
from twin_platform.telemetry.clock import SystemClock

KILLS = 5


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The real articles where they are at hand, else forty documents of our own: some seconds of embedding each."""
    articles = os.environ.get("TWIN_TEST_ARTICLES")
    if articles:
        return Path(articles)
    documents = [
        {
            "title": f"The mill of Kelmar, part {number}",
            "url": f"https://blog.example/mill/{number}",
            "text": "\n\n".join(
                f"In the year {1700 + year} mill number {number} ground {number * year} sacks of rye for the bakers."
                for year in range(30 + 2 * number)
            ),
        }
        for number in range(40)
    ]
    path = tmp_path / "mills.json"
    path.write_text(json.dumps(documents))
    return path


@pytest.fixture
def system() -> Iterator[RunningSystem]:
    with running_system() as system:
        yield system


def indexed(system: RunningSystem) -> int:
    with system.client() as client:
        count: int = client.get("/v1/status").json()["counts"]["indexed"]
        return count


def wait_until_indexed(system: RunningSystem, count: int) -> None:
    eventually(lambda: indexed(system) >= count, deadline=300)


def ledger_of(data: Path, corpus: Path) -> dict[DocumentId, Digest | None]:
    """Return what was acknowledged: every document of the corpus, with the content that the store committed.

    That the store has the corpus's text and nothing else is asserted here, since the ledger is what it is judged by.
    """
    given = {item.document_id: item.document for item in read_inputs([corpus], author=None)}
    with open_document_store(f"sqlite://{data}/documents.db", SystemClock()) as documents:
        stored = {document.id: document for document in documents.find(limit=1000)}
    assert {key: document.text for key, document in stored.items()} == {
        key: document.text for key, document in given.items() if document is not None
    }
    return {key: content_hash(document) for key, document in stored.items()}


@pytest.mark.timeout(900)
def test_an_import_ends_with_everything_however_often_the_system_is_killed(system: RunningSystem, corpus: Path) -> None:
    count = len(list(read_inputs([corpus], author=None)))
    importing = system.start_twin("import", str(corpus))
    for kill in range(KILLS):
        wait_until_indexed(system, 1 + kill * count // (KILLS + 1))
        if kill % 2:
            system.kill_all()
            system.start()
        else:
            system.kill_child()
            system.wait_until_ready()

    out, err = importing.communicate(timeout=600)

    assert (importing.returncode, out) == (0, f"{count} stored, {count} indexed, 0 refused\n"), err
    system.stop()
    assert judge_folder(system.data, ledger_of(system.data, corpus), MINILM) == Verdict(0, 0, 0, 0)
