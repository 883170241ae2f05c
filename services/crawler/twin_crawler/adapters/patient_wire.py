"""Requests with manners: one per host at a time, and again after a pause where an answer may pass."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from twin_crawler.adapters.host_turns import HostTurns
from twin_crawler.adapters.http_wire import Answered, HttpWire
from twin_crawler.address import Target
from twin_crawler.errors import FetchFailed
from twin_platform.telemetry.clock import Clock

ATTEMPTS = 4
MOST_PATIENCE_SECONDS = 60.0
"""Of one wait between two attempts; who asks for more is left for later."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class PatientWire:
    """Sends requests one after the other to each host; waits 1, 2 and 4 seconds, or as long as the host asks for."""

    def __init__(self, wire: HttpWire, clock: Clock, wait: Callable[[float], None]) -> None:
        self._wire = wire
        self._clock = clock
        self._wait = wait
        self._turns = HostTurns(clock, wait)

    def close(self) -> None:
        """Close what is open."""
        self._wire.close()

    def get(
        self, target: Target, headers: Mapping[str, str], accept: frozenset[str] | None, delay: float = 0.0
    ) -> Answered:
        """Return an answer that would be the same if it were asked for again.

        Args:
            delay: seconds that the host wants between two requests.

        Raises:
            FetchRefused: as `HttpWire.get`.
            FetchFailed: no attempt brought such an answer, or the host asks for more patience than there is.
        """
        with self._turns.turn(target.host) as turn:
            turn.pause = delay
            for attempt in range(ATTEMPTS):
                try:
                    answered = self._wire.get(target, headers, accept)
                except FetchFailed as error:
                    failure = error
                else:
                    if answered.status not in _PASSING:
                        return answered
                    why = f"it answers {named(answered.status)}"
                    failure = FetchFailed(target.url, why, self._retry_after(answered))
                pause = max(delay, 2.0**attempt if failure.retry_after is None else failure.retry_after)
                if pause > MOST_PATIENCE_SECONDS:
                    raise FetchFailed(target.url, f"{failure.why} and asks for {pause:,.0f} s of patience", pause)
                if attempt < ATTEMPTS - 1:
                    self._wait(pause)
            raise failure

    def _retry_after(self, answered: Answered) -> float | None:
        """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
        value = answered.header("retry-after").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        with suppress(ValueError, OverflowError):
            moment = parsedate_to_datetime(value)
            if moment.tzinfo is not None:
                return max((moment - self._clock.now()).total_seconds(), 0.0)
        return None


def named(status: int) -> str:
    """Return a status as a message shows it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
