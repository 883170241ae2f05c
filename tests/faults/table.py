"""The faults of docs as tests: which one a test is about, what is expected, and what was seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from textwrap import wrap

import pytest

REQUIRED = {
    "embedded": frozenset({1, 2, 3, 6, 8, 10, 17, 18, 19, *range(26, 31), *range(32, 37)}),
    "rabbitmq": frozenset(range(11, 37)) - {28, 31, 35},
}
"""Of the design's list, the faults that need a test, and all of their tests have to pass: of SQLite and Edge, and of a
log on RabbitMQ with the vectors on a server. What is left, only a MongoDB can have."""

BESIDE_THE_LIST = 0
"""Number of a fault that the design does not list."""

NOT_RUN = "not run"
SERVER_MISSING = "no server"
"""Outcome of a test that was skipped since no server could be had that it needs."""
MAY_BE_MISSING = "no MongoDB server"
"""How the reason of such a skip begins."""

_WIDTHS = (3, 32, 32, 48, 7)


def fault(number: int, fault: str, expected: str) -> pytest.MarkDecorator:
    """Mark a test of one fault; several tests may be about the same."""
    return pytest.mark.fault(number, fault, expected)


@dataclass
class Line:
    """One test's line in the table."""

    number: int
    fault: str
    expected: str
    seen: list[str] = field(default_factory=list)
    outcome: str = NOT_RUN


def missing(lines: Sequence[Line], required: frozenset[int]) -> list[int]:
    """Return the required faults without a passed test, and any with one that failed, was skipped or not run.

    A skip for a server that cannot be had counts as no test at all.
    """
    passed = {line.number for line in lines if line.outcome == "passed"}
    fallen = {line.number for line in lines if line.outcome not in {"passed", SERVER_MISSING}}
    return sorted(required - passed | fallen)


def render(lines: Sequence[Line]) -> str:
    """Return the table, by number, its cells wrapped."""
    rows = [("#", "fault", "expected", "seen", "")]
    rows += [
        (str(line.number), line.fault, line.expected, "; ".join(line.seen), line.outcome)
        for line in sorted(lines, key=lambda line: line.number)
    ]
    return "\n".join(text for row in rows for text in [*_wrapped(row), ""])


def _wrapped(row: Sequence[str]) -> Iterator[str]:
    cells = [wrap(cell, width) for cell, width in zip(row, _WIDTHS, strict=True)]
    for parts in zip_longest(*cells, fillvalue=""):
        yield "  ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip()
