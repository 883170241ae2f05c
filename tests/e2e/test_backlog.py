"""The backlog benchmark in small: what its cases promise and what is no matter of time or size."""

from benchmarks.backlog import CASES
from benchmarks.backlog_rows import Sizes
from benchmarks.report import Row

SMALL = Sizes(posts=200, book_bytes=40_000)


def met(case: str, measure: str) -> bool | None:
    """Run a case in small and return whether the row with these words reached its goal."""
    rows: list[Row] = CASES[case](SMALL)
    return next(row.met for row in rows if measure in row.measure)


def test_a_backlog_that_is_interrupted_is_worked_off_whole() -> None:
    assert met("posts", "lost, stale, orphans, unexpected")


def test_a_book_that_is_interrupted_goes_on_without_embedding_again() -> None:
    assert met("book", "embedded again")
