from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from twin_contracts.events import ZERO, Version

PAIRS = st.tuples(st.integers(0, 2**63), st.integers(0, 2**63))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_SECONDS = 1_772_366_400


def version(pair: tuple[int, int]) -> Version:
    return Version(seconds=pair[0], increment=pair[1])


@given(PAIRS, PAIRS)
def test_versions_are_ordered_as_pairs(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (version(one) < version(other)) == (one < other)
    assert (version(one) <= version(other)) == (one <= other)
    assert (version(one) == version(other)) == (one == other)


def test_a_large_increment_is_still_inside_its_second() -> None:
    assert Version(seconds=1, increment=2**40) < Version(seconds=2, increment=0)


@given(PAIRS, st.datetimes(timezones=st.just(UTC)))
def test_the_next_version_is_later_than_the_last_whatever_the_clock_says(last: tuple[int, int], now: datetime) -> None:
    assert Version.after(version(last), now) > version(last)


def test_the_next_version_is_now_where_that_is_later() -> None:
    assert Version.after(ZERO, NOON) == Version(seconds=NOON_SECONDS, increment=0)


def test_a_second_version_in_one_second_counts_on() -> None:
    first = Version(seconds=NOON_SECONDS, increment=0)

    assert Version.after(first, NOON) == Version(seconds=NOON_SECONDS, increment=1)


def test_with_the_clock_set_back_the_last_second_counts_on() -> None:
    last = Version(seconds=NOON_SECONDS + 600, increment=41)

    assert Version.after(last, NOON) == Version(seconds=NOON_SECONDS + 600, increment=42)
