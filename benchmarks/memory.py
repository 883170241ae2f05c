"""What a running system holds in memory and on disk, while a benchmark works it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil

SAMPLE_SECONDS = 0.05
LOOK_EVERY = 20
"""One sample in so many looks again which processes there are, which takes longer than a sample."""
MEGABYTE = 1_000_000


@dataclass
class Memory:
    """The most that the processes had in RAM together, in MB, over all samples."""

    resident: float = 0.0
    """Pages of mapped files that are in the system's cache included, which it drops where memory is short."""
    anonymous: float = 0.0
    """Without mapped files: what cannot be dropped."""
    timeline: list[tuple[float, float, float]] = field(default_factory=list)
    """(seconds, resident, anonymous), once a second."""


@contextmanager
def watched(*roots: int) -> Iterator[Memory]:
    """Sample these processes and all below them, until left."""
    memory, done = Memory(), Event()
    thread = Thread(target=_watch, args=(roots, memory, done), name="memory", daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()


def folder_sizes(folder: Path) -> dict[str, float]:
    """Return the MB on disk of each file and each folder of this folder; holes of a file take no room."""
    sizes: dict[str, float] = {}
    for inner, _, files in os.walk(folder):  # which passes by a folder that goes meanwhile
        for path in (Path(inner, file) for file in files):
            with suppress(FileNotFoundError):  # a journal comes and goes
                name = "/".join(path.relative_to(folder).parts[:2])
                sizes[name] = sizes.get(name, 0.0) + path.stat().st_blocks * 512 / MEGABYTE
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _watch(roots: tuple[int, ...], memory: Memory, done: Event) -> None:
    began = time.monotonic()
    processes: list[psutil.Process] = []
    count = 0
    while not done.wait(SAMPLE_SECONDS):
        if count % LOOK_EVERY == 0:
            processes = _tree(roots)
        resident, anonymous = _sum(processes)
        memory.resident = max(memory.resident, resident)
        memory.anonymous = max(memory.anonymous, anonymous)
        if count % LOOK_EVERY == 0:
            memory.timeline.append((time.monotonic() - began, resident, anonymous))
        count += 1


def _tree(roots: tuple[int, ...]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            found += [process, *process.children(recursive=True)]
    return found


def _sum(processes: list[psutil.Process]) -> tuple[float, float]:
    resident = mapped = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            figures = process.memory_info()
            resident += figures.rss
            mapped += getattr(figures, "shared", 0)
    return resident / MEGABYTE, (resident - mapped) / MEGABYTE
