"""Metrics that a test reads."""

from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Callable

from twin_platform.telemetry.metrics import Counter, Gauge, Histogram, Reading


class RecordingMetrics:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.counted = Counts[tuple[str, str | None]]()
        self.observed = defaultdict[str, list[float]](list)
        self._readers = dict[Gauge, Callable[[], Reading]]()

    def count(self, counter: Counter, *labels: str, by: float = 1) -> None:
        self.counted[counter.name, "/".join(labels) or None] += by  # type: ignore[assignment]  # a count of seconds has fractions

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        self.observed[histogram.name].append(value)

    def show(self, gauge: Gauge, read: Callable[[], Reading]) -> None:
        self._readers[gauge] = read

    def read(self, gauge: Gauge) -> Reading:
        """What whoever asks now is told; None where nothing is."""
        return self._readers.get(gauge, lambda: None)()
