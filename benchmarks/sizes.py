"""Bytes that a document and a chunk take in each store and in memory, as the slope between two sizes of one system.

What a store takes however empty it is falls out of a slope. The embedder is the null one, whose vectors have as many
numbers as the default model's. The vectors are those of Qdrant Edge, the engine of the Qdrant server; before and after
`optimize()`, which a start does.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.freshness import wait_until_quiet
from benchmarks.generated import article, post
from benchmarks.memory import MEGABYTE, folder_sizes
from benchmarks.report import RESULTS, Row, report
from benchmarks.system import RunningSystem, running_system
from twin_contracts.documents import Raw
from twin_platform.documents.open import open_document_store
from twin_platform.telemetry.clock import SystemClock

POST_BYTES, ARTICLE_BYTES = 1_000, 4_000
STORES = {
    "document store": "documents.db",
    "clean snapshot": "vectors/documents",
    "embedded chunks": "vectors/chunks",
}
"""What each store's files and folders begin with."""


@dataclass(frozen=True)
class Size:
    """A system at one moment."""

    documents: int
    chunks: int
    bytes: Mapping[str, float]
    """By store."""
    memory: float
    """Of the working process, without mapped files."""


def sizes(kind: str, make: Callable[[int], Raw], few: int, many: int) -> Iterator[Row]:
    """Fill a system with a few and then with many documents, and yield what one more takes."""
    with running_system(EMBEDDING_MODEL="hashing") as system:
        small = filled(system, make, range(few))
        big = filled(system, make, range(few, many))
        system.stop()
        system.start()
        tidy = measured(system)
    documents, chunks = big.documents - small.documents, big.chunks - small.chunks
    yield Row(f"{kind}: chunks of a document", chunks / documents, "chunks")
    for store in STORES:
        grown = big.bytes[store] - small.bytes[store]
        yield Row(f"{kind}: {store}, of a document", grown / documents, "bytes")
    grown = big.bytes["embedded chunks"] - small.bytes["embedded chunks"]
    yield Row(f"{kind}: embedded chunks, of a chunk", grown / chunks, "bytes")
    yield Row(f"{kind}: embedded chunks, of a chunk, tidied", tidy.bytes["embedded chunks"] / tidy.chunks, "bytes")
    yield Row(f"{kind}: memory without mapped files, of a chunk", (big.memory - small.memory) / chunks, "bytes")


def filled(system: RunningSystem, make: Callable[[int], Raw], numbers: range) -> Size:
    """Write documents into the store, wait until everything has arrived, and measure."""
    with open_document_store(f"sqlite://{system.data}/documents.db", SystemClock()) as store:
        for number in numbers:
            store.upsert(make(number))
    return measured(system)


def measured(system: RunningSystem) -> Size:
    """Wait until everything has arrived, and measure."""
    with system.client() as client:
        wait_until_quiet(client)
        counts = client.get("/v1/status").raise_for_status().json()["counts"]
    folder = folder_sizes(system.data)
    by_store = {
        store: sum(size for name, size in folder.items() if name.startswith(begin)) * MEGABYTE
        for store, begin in STORES.items()
    }
    figures = system.child().memory_info()
    return Size(counts["stored"], counts["chunks"], by_store, figures.rss - figures.shared)


def main() -> int:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--articles", type=int, default=3_000)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args()
    rows = [
        *sizes("posts of 1 KB", lambda number: post(number, POST_BYTES), options.posts // 5, options.posts),
        *sizes(
            "articles of 4 KB", lambda number: article(number, ARTICLE_BYTES), options.articles // 5, options.articles
        ),
    ]
    report("sizes", rows, options.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
