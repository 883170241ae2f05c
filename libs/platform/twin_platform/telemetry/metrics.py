"""Port: figures of a service. Each service lists its own in one file, `metrics.py`; what takes them is passed in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

Reading = float | Mapping[str, float] | None
"""A figure, one for each value of the metric's label, or None where there is nothing to show: then it is absent."""


@dataclass(frozen=True)
class Metric:
    """One figure: its name, and what it says, in a sentence that a person reads beside it."""

    name: str
    meaning: str
    labels: tuple[str, ...] = field(default=(), kw_only=True)
    """What its series are told apart by, where it has several."""


@dataclass(frozen=True)
class Counter(Metric):
    """Only grows while the process lives; its name ends with `_total`."""

    values: tuple[str, ...] = field(default=(), kw_only=True)
    """Of its one label; each is there from the start, with 0."""


@dataclass(frozen=True)
class Gauge(Metric):
    """A state, read when somebody asks; it has one label at most."""


@dataclass(frozen=True)
class Histogram(Metric):
    """A distribution of seconds."""

    buckets: tuple[float, ...]
    """Upper bounds, ascending."""


class Metrics(Protocol):
    """Takes figures of a closed list; any thread may give them. Costs a microsecond."""

    def count(self, counter: Counter, *labels: str, by: float = 1) -> None:
        """Raise a counter, the series of these values of its labels."""

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Add a value to a distribution."""

    def show(self, gauge: Gauge, read: Callable[[], Reading]) -> None:
        """Have a gauge read whenever somebody asks, by their thread; of its readers the last that was given.

        It must not wait for anything. One that raises is logged, and its gauge absent.
        """


class Exposed(Metrics, Protocol):
    """Metrics that can be told."""

    @property
    def content_type(self) -> str:
        """Return what `text` is in."""

    def text(self) -> bytes:
        """Return every figure."""


class NoMetrics:
    """Takes figures that nobody asks for."""

    def count(self, counter: Counter, *labels: str, by: float = 1) -> None:
        """Do nothing."""

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Do nothing."""

    def show(self, gauge: Gauge, read: Callable[[], Reading]) -> None:
        """Do nothing."""
