"""The faults of docs as tests: which one a test is about, what is expected, and what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

REQUIRED = frozenset({1, 2, 3, 6, 8, 10, 17, 18, 19, 26, 27, 28, 29, 30, 32, 33, 34, 35, 36})
"""Of the design's list, those that this release's adapters can have; each needs a test that passes."""


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
    outcome: str = "not run"


def missing(lines: Sequence[Line]) -> list[int]:
    """Return the required faults of which no test passed."""
    return sorted(REQUIRED - {line.number for line in lines if line.outcome == "passed"})


def render(lines: Sequence[Line]) -> str:
    """Return the table, a Markdown one, by number."""
    header = ("#", "fault", "expected", "seen", "")
    rows = [
        (str(line.number), line.fault, line.expected, "; ".join(line.seen), line.outcome)
        for line in sorted(lines, key=lambda line: line.number)
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    shown = [header, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in shown
    )
