"""A book among posts: what its long embedding does to the edits of others, and to who wants to stop in the middle."""

import random
import statistics
import time
from collections.abc import Iterator

import httpx
import numpy as np

from benchmarks.backlog_rows import Sizes, interrupted, memory_rows
from benchmarks.freshness import client_id, is_searchable, new_word, put_post, seconds_to_searchable
from benchmarks.generated import markdown
from benchmarks.memory import watched
from benchmarks.report import Row
from benchmarks.system import RunningSystem, running_system
from twin_contracts.documents import document_id_of_client
from twin_contracts.embedding import MINILM
from twin_contracts.queues import DEFAULT_PARTITIONS, partition_of
from twin_platform.features.open import open_feature_store

FIRST, SECOND = "first-book", "second-book"
OTHERS_P95 = 2.0
STOP_AT = 0.5
POLL_SECONDS = 0.2


def book(sizes: Sizes) -> list[Row]:
    """Embed a book beside posts; then a second one, stopped in the middle of it and gone on with."""
    with running_system() as system:
        with watched(system.parent.pid) as memory:
            with system.client() as client:
                put_book(client, FIRST, sizes.book_bytes)
                others, own = posts_beside(client, FIRST)
                chunks = embedded_chunks(client) - len(others) - 1
                put_book(client, SECOND, sizes.book_bytes)
                wait_until_embedded(client, chunks + len(others) + 1 + int(chunks * STOP_AT))
            stop = interrupted("book", system)
        stored = stored_chunks(system, SECOND)
        system.start()
        with system.client() as client:
            wait_until_indexed(client, SECOND)
            embedded = embedded_chunks(client)
        system.stop()
        again = embedded + stored - stored_chunks(system, SECOND)
    print(f"a book of {chunks} chunks, {len(others)} posts beside it; stopped after {stored} chunks")
    p95 = float(np.percentile(others, 95))
    name = "book: commit to searchable"
    return [
        *memory_rows("book", memory),
        Row(f"{name}, posts of other partitions, p50", statistics.median(others), "s"),
        Row(f"{name}, the same, p95", p95, "s", goal=f"<= {OTHERS_P95:g}", met=p95 <= OTHERS_P95),
        Row(f"{name}, a post of its own partition", own, "s"),
        stop,
        Row("book: chunks embedded again after that", again, "chunks", goal="0", met=again == 0),
    ]


def put_book(client: httpx.Client, name: str, size: int) -> None:
    """Store a book."""
    text = markdown(random.Random(name), size)  # noqa: S311 - the same text in every run
    body = {"type": "article", "title": name, "text": text, "format": "markdown", "platform": "bench"}
    client.put(f"/v1/documents/{name}", json=body).raise_for_status()


def posts_beside(client: httpx.Client, name: str) -> tuple[list[float], float]:
    """Store posts while the book is embedded.

    Returns:
        The seconds to searchable of posts in other partitions, one after another, and of one in the book's own.
    """
    mine = partition(name)
    began = time.monotonic()
    own_word = next(word for word in words() if partition(client_id(word)) == mine)
    put_post(client, own_word)
    others: list[float] = []
    own: float | None = None
    for word in words():
        if partition(client_id(word)) == mine:
            continue
        others.append(seconds_to_searchable(client, word))
        if own is None and is_searchable(client, own_word):
            own = time.monotonic() - began
        if own is not None and is_indexed(client, name):
            return others, own
    raise AssertionError


def words() -> Iterator[str]:
    """Yield words that no text has yet."""
    number = 0
    while True:
        yield new_word(number)
        number += 1


def partition(name: str) -> int:
    """Return the partition of a document that a client calls so."""
    return partition_of(document_id_of_client(name), DEFAULT_PARTITIONS)


def is_indexed(client: httpx.Client, name: str) -> bool:
    """Return whether the document's present state is in both snapshots."""
    status = client.get(f"/v1/documents/{name}").raise_for_status().json()
    return bool(status["status"] == "indexed")


def wait_until_indexed(client: httpx.Client, name: str) -> None:
    """Wait for one document."""
    while not is_indexed(client, name):
        time.sleep(POLL_SECONDS)


def embedded_chunks(client: httpx.Client) -> int:
    """Return how many chunks were embedded since the start."""
    return int(client.get("/v1/status").raise_for_status().json()["chunks_embedded"])


def wait_until_embedded(client: httpx.Client, chunks: int) -> None:
    """Wait until so many chunks were embedded since the start."""
    while embedded_chunks(client) < chunks:
        time.sleep(POLL_SECONDS)


def stored_chunks(system: RunningSystem, name: str) -> int:
    """Count the document's chunks in the folder of a stopped system."""
    with open_feature_store(f"edge://{system.data}/vectors", MINILM, DEFAULT_PARTITIONS) as features:
        return sum(1 for _ in features.chunks(document_id_of_client(name)))
