"""Edits of the same few documents until the data folder would show it: what grows, what housekeeping gives back."""

import time
from datetime import UTC, datetime

from benchmarks.backlog_rows import Sizes, memory_rows
from benchmarks.freshness import wait_until_quiet
from benchmarks.generated import post
from benchmarks.memory import folder_sizes, watched
from benchmarks.report import Row
from benchmarks.system import RunningSystem, running_system
from twin_feature_stream.housekeeping import HOUSEKEPT, Housekept
from twin_platform.documents.open import open_document_store
from twin_platform.records.open import open_record_store
from twin_platform.telemetry.clock import SystemClock

TIMES = 3.0
POLL_SECONDS = 0.5
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def edits(sizes: Sizes) -> list[Row]:
    """Edit, and compare the folder with what it was after the first edits."""
    with running_system(EMBEDDING_MODEL="hashing") as system, watched(system.parent.pid) as memory:
        edit(system, range(sizes.edits_before), sizes)
        small = folder_sizes(system.data)
        began = time.monotonic()
        edit(system, range(sizes.edits_before, sizes.edits), sizes)
        seconds = time.monotonic() - began
        grown = folder_sizes(system.data)
        keep_house(system)
        kept = folder_sizes(system.data)
    show(small, grown, kept)
    before, after = sum(small.values()), sum(kept.values())
    times = after / before
    first = f"edits: data folder after {sizes.edits_before:,} edits"
    return [
        *memory_rows("edits", memory),
        Row("edits: worked off", (sizes.edits - sizes.edits_before) / seconds, "edits/s"),
        Row(first, before, "MB"),
        Row(f"edits: data folder after {sizes.edits:,} edits", sum(grown.values()), "MB"),
        Row(
            "edits: data folder after one housekeeping",
            after,
            "MB",
            against=first,
            ratio=times,
            goal=f"ratio < {TIMES:g}",
            met=times < TIMES,
        ),
    ]


def edit(system: RunningSystem, numbers: range, sizes: Sizes) -> None:
    """Write editions of the documents as fast as the store takes them, and wait until all is worked off."""
    with open_document_store(f"sqlite://{system.data}/documents.db", SystemClock()) as store:
        for number in numbers:
            store.upsert(post(number % sizes.edited, sizes.post_bytes, edition=number))
    with system.client() as client:
        wait_until_quiet(client)


def keep_house(system: RunningSystem) -> None:
    """Let the daily work be long overdue, and wait until it is done."""
    with open_record_store(f"sqlite://{system.data}/records.db") as records:
        ((key, *_),) = [(one.key,) for one in records.find(HOUSEKEPT)]
        records.put(HOUSEKEPT, key, Housekept(at=LONG_AGO))
        while any(one.record.at == LONG_AGO for one in records.find(HOUSEKEPT)):
            time.sleep(POLL_SECONDS)


def show(*folders: dict[str, float]) -> None:
    """Print the files that take most room, and how much they took each time."""
    for name in sorted(folders[-1], key=lambda name: -max(folder.get(name, 0.0) for folder in folders))[:12]:
        print(f"{name:44}", *(f"{folder.get(name, 0.0):9.1f}" for folder in folders), "MB")
