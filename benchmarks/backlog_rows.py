"""What the cases of the backlog benchmark have in common: sizes, goals and rows."""

import time
from dataclasses import dataclass

from benchmarks.memory import Memory
from benchmarks.report import Row
from benchmarks.system import RunningSystem

MEMORY_MB = 700.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the defaults are what the promise is about, and take an hour."""

    posts: int = 100_000
    post_bytes: int = 1_000
    articles: int = 2_000
    article_bytes: int = 4_000
    book_bytes: int = 1_000_000
    edits: int = 100_000
    edits_before: int = 1_000
    edited: int = 100
    files: int = 20_000
    json_bytes: int = 200_000_000


def memory_rows(name: str, memory: Memory) -> list[Row]:
    """Return the rows of the most memory."""
    met = memory.resident < MEMORY_MB
    return [
        Row(f"{name}: resident memory, most", memory.resident, "MB", goal=f"< {MEMORY_MB:g}", met=met),
        Row(f"{name}: of which not of mapped files, most", memory.anonymous, "MB"),
    ]


def interrupted(name: str, system: RunningSystem) -> Row:
    """Send what Ctrl-C sends and return the row of the seconds until the parent has ended, and ended well."""
    began = time.monotonic()
    status = system.interrupt()
    seconds = time.monotonic() - began
    met = status == 0 and seconds <= STOP_SECONDS
    return Row(f"{name}: from Ctrl-C in the middle to the end", seconds, "s", goal=f"<= {STOP_SECONDS:g}", met=met)
