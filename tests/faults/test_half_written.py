"""Faults between two writes of the sink: a process that dies before every single one of them."""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from benchmarks.ledger import Ledger
from benchmarks.oracle import leftovers
from fakes.chain import Chain
from fakes.features import InterruptedEngine
from fakes.flow import AUTHOR, article, eventually, post
from faults.conftest import Durations, Seen
from faults.table import fault
from standins.qdrant_process import QdrantStandIn
from twin_contracts.documents import Raw, RawCode, Source, document_id_of
from twin_contracts.records import RecordStatus
from twin_platform.features.port import FeatureQuery

View = Mapping[str, frozenset[str] | RecordStatus | None]


def sections(*names: str) -> str:
    return "\n\n".join(f"## The {name}\n\nWhat the {name} does, it does all day. " * 8 for name in names)


def code(key: str, *names: str) -> RawCode:
    text = "\n\n".join(f"def {name}():\n    return '{name} ' * 80" for name in names)
    source = Source(platform="test")
    return RawCode(id=document_id_of(key), author=AUTHOR, source=source, text=text, repository="r", path="m.py")


BEFORE: Sequence[Raw] = (
    article("edited", sections("dog", "cat", "goose")),
    article("moved", sections("mill", "barn")),
    article("refused", sections("ferry")),
    article("gone", sections("bridge")),
    article("gone unseen", sections("tower")),
)
AFTER: Sequence[Raw] = (
    article("edited", sections("dog", "hen", "goose")),
    code("moved", "grind", "bake"),
    post("refused", "\u200b"),
    post("fresh", "Something new."),
)
GONE, UNSEEN = BEFORE[-2:]
DOCUMENTS = {document.id: document for document in (*BEFORE, *AFTER)}


def view(chain: Chain) -> View:
    """Return what a reader finds of every document: its chunks in force, and its record's status."""
    vector = chain.embedder.embed_query("all day")
    seen: dict[str, frozenset[str] | RecordStatus | None] = {}
    for document_id in DOCUMENTS:
        hits = chain.features.search(FeatureQuery("all day", vector, limit=50, document_id=document_id))
        record = chain.features.records([document_id]).get(document_id)
        seen[document_id] = frozenset(hit.payload.text for hit in hits) or (record.status if record else None)
    return seen


def copied(source: Path, target: Path) -> Path:
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)
    return target


@contextmanager
def stores(folder: Path, vectors: str) -> Iterator[Callable[[str], str]]:
    """Yield where a folder's stores are; vectors on Edge, or on a server that runs for so long."""
    urls = {name: f"sqlite://{folder}/{name}.db" for name in ("documents", "records", "log")}
    if vectors == "edge":
        yield {**urls, "features": f"edge://{folder}/vectors"}.__getitem__
        return
    with QdrantStandIn(folder) as server:
        yield {**urls, "features": server.url}.__getitem__


def die(folder: Path, url: Callable[[str], str], writes: int) -> None:
    """Run the flow until it has nothing to do, or until so many writes are done."""
    kill = partial(os.kill, os.getpid(), signal.SIGKILL)
    with Chain(folder, url=url, engine=lambda engine: InterruptedEngine(engine, writes, kill)).opened() as chain:
        finish(chain)


def prepare(chain: Chain) -> View:
    """Fill the stores, change everything, and leave the changes in the log; return what readers saw before."""
    with chain.opened():
        with chain.running():
            for document in BEFORE:
                chain.put(document)
            chain.wait_until_quiet()
        old = view(chain)
        with chain.capturing():
            for document in AFTER:
                chain.put(document)
            chain.delete(GONE)
            eventually(chain.is_captured)
        chain.delete(UNSEEN)
        chain.documents.forget_deletions(datetime.now(UTC) + timedelta(hours=1))
        with chain.capturing():  # the position is lost: everything comes again, and a purge behind it
            eventually(chain.is_captured)
    return old


def finish(chain: Chain) -> None:
    with chain.flowing():
        eventually(lambda: chain.log.waiting() == 0)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> ForkServerContext:
    """Processes that are forked off one that has imported everything: dozens of them are needed."""
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tests, tests.parent))))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.test_half_written"])
    return context


@pytest.mark.parametrize("vectors", ["edge", "served"])
@fault(32, "killed between chunks and record, between record and clean-up", expected="no reader sees a mixture")
def test_killed_before_any_write_it_shows_the_old_or_the_new(
    tmp_path: Path, seen: Seen, processes: ForkServerContext, durations: Durations, vectors: str
) -> None:
    prepared, ledger = tmp_path / "prepared", Ledger()
    prepared.mkdir()
    with stores(prepared, vectors) as url:
        old = prepare(Chain(prepared, url=url, ledger=ledger))
    whole = copied(prepared, tmp_path / "whole")
    with stores(whole, vectors) as url, Chain(whole, url=url).opened() as chain:
        finish(chain)
        new = view(chain)

    step = 1 if vectors == "edge" else int(durations(ci=8, full=1))  # a server takes a second to start
    for writes in count(0, step):
        folder = copied(prepared, tmp_path / f"after-{writes}")
        with stores(folder, vectors) as url:
            process = processes.Process(target=die, args=(folder, url, writes))
            process.start()
            process.join(60)
            if process.exitcode == 0:
                break
            assert process.exitcode == -signal.SIGKILL
            with Chain(folder, url=url, ledger=ledger).opened() as chain:
                found = view(chain)
                assert all(found[key] in (old[key], new[key]) for key in DOCUMENTS), f"mixed after {writes} writes"
                finish(chain)
                assert view(chain) == new
                assert chain.verdict().exact
                assert leftovers(chain.features) == 0
    seen(f"killed before every {step}. of {writes} writes: old or new, never both; exact when it had gone on")
    assert writes > 40
