"""Memory and patience: what `twin up` takes, and how it stops, while it works off far more than one epoch holds.

Each case is a system of its own on a real `twin up`, parent and child measured together: a backlog of posts and one of
articles that were written while nothing ran, a book that is embedded in slices, and edits of the same few documents
until the data folder would show it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.freshness import wait_until_quiet
from benchmarks.generated import article, post
from benchmarks.memory import Memory, watched
from benchmarks.oracle import judge_folder
from benchmarks.report import Row, report
from benchmarks.system import RunningSystem, running_system
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import Raw
from twin_contracts.embedding import MINILM, EmbeddingSpec
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.telemetry.clock import SystemClock

MEMORY_MB = 700.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.5
STOP_AT = 0.05
"""The stop comes when this share is done, so that what follows it is still a backlog."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the defaults are the issue's, and take an hour."""

    posts: int = 100_000
    post_bytes: int = 1_000
    articles: int = 2_000
    article_bytes: int = 4_000
    book_bytes: int = 1_000_000


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
            stopped = seconds_to_stop(system)
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
        stop_row(backlog.name, stopped),
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


def seconds_to_stop(system: RunningSystem) -> float | None:
    """Send what Ctrl-C sends and return the seconds until the parent has ended; None where it did not end well."""
    began = time.monotonic()
    status = system.interrupt()
    return time.monotonic() - began if status == 0 else None


def memory_rows(name: str, memory: Memory) -> list[Row]:
    """Return the rows of the most memory."""
    met = memory.resident < MEMORY_MB
    return [
        Row(f"{name}: resident memory, most", memory.resident, "MB", goal=f"< {MEMORY_MB:g}", met=met),
        Row(f"{name}: of which anonymous, most", memory.anonymous, "MB"),
    ]


def stop_row(name: str, seconds: float | None) -> Row:
    """Return the row of a stop."""
    met = seconds is not None and seconds <= STOP_SECONDS
    took = float("nan") if seconds is None else seconds
    return Row(f"{name}: Ctrl-C in the middle to the end", took, "s", goal=f"<= {STOP_SECONDS:g}", met=met)


def posts(sizes: Sizes) -> list[Row]:
    """Work off posts with the null embedder."""
    documents = (post(number, sizes.post_bytes) for number in range(sizes.posts))
    return work_off(Backlog("posts", documents, HashingEmbedder().spec, {"EMBEDDING_MODEL": "hashing"}))


def articles(sizes: Sizes) -> list[Row]:
    """Work off articles with the real embedder, a book among them."""
    book = article(-1, sizes.book_bytes)
    documents = [book, *(article(number, sizes.article_bytes) for number in range(sizes.articles))]
    return work_off(Backlog("articles and a book", documents, MINILM, {}))


CASES: dict[str, Callable[[Sizes], list[Row]]] = {"posts": posts, "articles": articles}


def main() -> int:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case", help=f"which of {', '.join(CASES)}; without one, all")
    for name, size in vars(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=size)
    options = vars(parser.parse_args())
    cases = options.pop("cases") or list(CASES)
    sizes = Sizes(**options)
    report("backlog", [row for case in cases for row in CASES[case](sizes)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
