"""Metrics for Prometheus: kept in a registry of their own, told in its text format."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import prometheus_client as client
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from twin_platform.telemetry.metrics import Counter, Gauge, Histogram, Metric, Reading


class PrometheusMetrics(Collector):
    """A service's figures since its process started, the process's own memory and time among them. Thread-safe."""

    content_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, metrics: Sequence[Metric]) -> None:
        """Take the closed list; a figure that is not of it is a `KeyError`."""
        self._registry = client.CollectorRegistry()
        self._counters = {one: self._counter(one) for one in metrics if isinstance(one, Counter)}
        self._histograms = {one: self._histogram(one) for one in metrics if isinstance(one, Histogram)}
        self._readers: dict[Gauge, Callable[[], Reading]] = {}
        self._registry.register(self)
        client.ProcessCollector(registry=self._registry)

    def count(self, counter: Counter, by: float = 1, label: str | None = None) -> None:
        """Raise a counter; see the port."""
        counted = self._counters[counter]
        (counted if label is None else counted.labels(label)).inc(by)

    def observe(self, histogram: Histogram, value: float) -> None:
        """Add a value to a distribution; see the port."""
        self._histograms[histogram].observe(value)

    def show(self, gauge: Gauge, read: Callable[[], Reading]) -> None:
        """Have a gauge read whenever somebody asks for it; see the port."""
        self._readers[gauge] = read

    def collect(self) -> Iterator[Family]:
        """Yield what the gauges' readers say now."""
        for gauge, read in list(self._readers.items()):
            if (reading := read()) is not None:
                yield _family(gauge, reading)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return client.generate_latest(self._registry)

    def _counter(self, counter: Counter) -> client.Counter:
        labels = (counter.label,) if counter.label else ()
        made = client.Counter(counter.name, counter.meaning, labels, registry=self._registry)
        for value in counter.values:
            made.labels(value)
        return made

    def _histogram(self, histogram: Histogram) -> client.Histogram:
        return client.Histogram(histogram.name, histogram.meaning, buckets=histogram.buckets, registry=self._registry)


def _family(gauge: Gauge, reading: float | Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=[gauge.label] if gauge.label else [])
    for value, figure in reading.items() if isinstance(reading, Mapping) else [(None, reading)]:
        family.add_metric([] if value is None else [value], figure)
    return family
