"""Memory and patience: what `twin up` takes, and how it stops, while it works off far more than one epoch holds.

Each case is a system of its own on a real `twin up`, parent and child measured together: a backlog of posts and one of
articles that were written while nothing ran, a book that is embedded in slices, and edits of the same few documents
until the data folder would show it. The articles on a broker are one flow process's.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backlog_rows import Sizes, interrupted, memory_rows
from benchmarks.book import book
from benchmarks.broker_backlog import broker_articles
from benchmarks.edits import edits
from benchmarks.generated import article, post
from benchmarks.memory import watched
from benchmarks.oracle import judge_folder
from benchmarks.quiet import idle, inputs
from benchmarks.report import RESULTS, Row, report_part
from benchmarks.system import RunningSystem, running_system
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import Raw
from twin_contracts.embedding import MINILM, EmbeddingSpec
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.telemetry.clock import SystemClock

POLL_SECONDS = 0.5
STOP_AT = 0.05
"""The stop comes when this share is done, so that what follows it is still a backlog."""


@dataclass(frozen=True)
class Backlog:
    """Documents that were written while nothing ran."""

    name: str
    documents: Iterable[Raw]
    spec: EmbeddingSpec
    settings: dict[str, str]


def work_off(backlog: Backlog) -> list[Row]:
    """Start on the backlog, stop in the middle of it, go on, and judge what is there in the end."""
    ledger: dict[DocumentId, Digest | None] = {}
    with running_system(lambda data: write(data, backlog.documents, ledger), **backlog.settings) as system:
        began = time.monotonic()
        with watched(system.parent.pid) as before:
            wait_until_indexed(system, int(len(ledger) * STOP_AT))
            stop = interrupted(backlog.name, system)
        system.start()
        with watched(system.parent.pid) as after:
            silent = wait_until_worked_off(system)
        seconds = time.monotonic() - began
        system.stop()
        verdict = judge_folder(system.data, ledger, backlog.spec)
    memory = after if after.resident > before.resident else before
    wrong = verdict.lost + verdict.stale + verdict.orphans + verdict.unexpected
    return [
        *memory_rows(backlog.name, memory),
        Row(f"{backlog.name}: documents worked off", len(ledger) / seconds, "documents/s"),
        Row(f"{backlog.name}: longest time without an acknowledgement", silent, "s"),
        stop,
        Row(f"{backlog.name}: lost, stale, orphans, unexpected", wrong, "documents", goal="0", met=wrong == 0),
    ]


def write(data: Path, documents: Iterable[Raw], ledger: dict[DocumentId, Digest | None]) -> None:
    """Write documents into the store of a folder that nobody owns, and into the ledger what was acknowledged."""
    with open_document_store(f"sqlite://{data}/documents.db", SystemClock()) as store:
        ledger.update((document.id, store.upsert(document).content_hash) for document in documents)


def wait_until_indexed(system: RunningSystem, documents: int) -> None:
    """Wait until so many documents are searchable."""
    with system.client() as client:
        while client.get("/v1/status").raise_for_status().json()["counts"]["indexed"] < documents:
            time.sleep(POLL_SECONDS)


def wait_until_worked_off(system: RunningSystem) -> float:
    """Wait until nothing is on its way; return the longest time for which the log did not shrink."""
    with system.client() as client:
        longest, since, waiting = 0.0, time.monotonic(), 0
        while True:
            status = client.get("/v1/status").raise_for_status().json()
            now = time.monotonic()
            if status["waiting"] < waiting:
                longest, since = max(longest, now - since), now
            waiting = status["waiting"]
            if status["captured"] and not waiting and not status["reemissions"]:
                return longest
            time.sleep(POLL_SECONDS)


def posts(sizes: Sizes) -> list[Row]:
    """Work off posts with the null embedder."""
    documents = (post(number, sizes.post_bytes) for number in range(sizes.posts))
    return work_off(Backlog("posts", documents, HashingEmbedder().spec, {"EMBEDDING_MODEL": "hashing"}))


def articles(sizes: Sizes) -> list[Row]:
    """Work off articles with the real embedder, a book among them."""
    a_book = article(-1, sizes.book_bytes)
    documents = [a_book, *(article(number, sizes.article_bytes) for number in range(sizes.articles))]
    return work_off(Backlog("articles and a book", documents, MINILM, {}))


CASES: dict[str, Callable[[Sizes], list[Row]]] = {
    "posts": posts,
    "articles": articles,
    "broker": broker_articles,
    "book": book,
    "edits": edits,
    "inputs": inputs,
    "idle": idle,
}


def main() -> int:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case", help=f"which of {', '.join(CASES)}; without one, all")
    for name, size in vars(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=size)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = vars(parser.parse_args())
    cases, results = options.pop("cases") or list(CASES), options.pop("results")
    sizes = Sizes(**options)
    for case in cases:
        report_part("backlog", CASES[case](sizes), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
