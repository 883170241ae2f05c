"""A clock that stands until a test turns it."""

from datetime import UTC, datetime, timedelta

_START = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class SettableClock:
    """Tells the moment it was set to."""

    def __init__(self, moment: datetime = _START) -> None:
        self.moment = moment
        self._passed = timedelta()

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self._passed.total_seconds()

    def turn(self, by: timedelta) -> None:
        """Move on, or back where `by` is negative: time passes only forward."""
        self.moment += by
        self._passed += max(by, timedelta())
