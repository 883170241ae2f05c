"""Metrics for Prometheus: kept in a registry of their own, told in its text format."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import prometheus_client as client
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from twin_platform.telemetry.logs import JsonLogger, Logger
from twin_platform.telemetry.metrics import Counter, Gauge, Histogram, Metric, Reading


class PrometheusMetrics(Collector):
    """A service's figures since its process started, the process's own memory and time among them. Thread-safe."""

    content_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, metrics: Sequence[Metric], logger: Logger | None = None) -> None:
        """Take the closed list; a figure that is not of it is a `KeyError`. The logger is told of failing readers."""
        # The moment of each series' start: twice as many lines, and nobody asks.
        client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's
        self._logger = logger or JsonLogger("metrics")
        self._registry = client.CollectorRegistry()
        self._counters = {one: self._counter(one) for one in metrics if isinstance(one, Counter)}
        self._histograms = {one: self._histogram(one) for one in metrics if isinstance(one, Histogram)}
        self._readers: dict[Gauge, Callable[[], Reading]] = {}
        self._registry.register(self)
        client.ProcessCollector(registry=self._registry)

    def count(self, counter: Counter, *labels: str, by: float = 1) -> None:
        """Raise a counter; see the port."""
        counted = self._counters[counter]
        (counted.labels(*labels) if labels else counted).inc(by)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Add a value to a distribution; see the port."""
        observed = self._histograms[histogram]
        (observed.labels(*labels) if labels else observed).observe(value)

    def show(self, gauge: Gauge, read: Callable[[], Reading]) -> None:
        """Have a gauge read whenever somebody asks for it; see the port."""
        self._readers[gauge] = read

    def collect(self) -> Iterator[Family]:
        """Yield what the gauges' readers say now."""
        for gauge, read in list(self._readers.items()):
            try:
                reading = read()
            except Exception as error:  # noqa: BLE001 - one figure that cannot be had must not hide all the others
                self._logger.event("metric_failed", metric=gauge.name, why=f"{type(error).__name__}: {error}")
                continue
            if reading is not None:
                yield _family(gauge, reading)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return client.generate_latest(self._registry)

    def _counter(self, counter: Counter) -> client.Counter:
        made = client.Counter(counter.name, counter.meaning, counter.labels, registry=self._registry)
        for value in counter.values:
            made.labels(value)
        return made

    def _histogram(self, histogram: Histogram) -> client.Histogram:
        return client.Histogram(
            histogram.name, histogram.meaning, histogram.labels, buckets=histogram.buckets, registry=self._registry
        )


def _family(gauge: Gauge, reading: float | Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
    for value, figure in reading.items() if isinstance(reading, Mapping) else [(None, reading)]:
        family.add_metric([] if value is None else [value], figure)
    return family
