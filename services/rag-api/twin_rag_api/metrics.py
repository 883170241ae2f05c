"""The API's metrics: a closed list, here alone."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
NO_ROUTE: Final = "none"
"""Stands for whatever was refused before it came to a route."""

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """Counts since the process started, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "twin_api_requests_total",
            "Requests, by route (the pattern, not the path) and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "twin_api_request_seconds",
            "Seconds from a request to the beginning of its response, by route.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._answers = Counter(
            "twin_api_answers_total",
            "Chat answers that were finished, by outcome: answered from the texts, or refused.",
            ("outcome",),
            registry=self._registry,
        )

    def responded(self, route: str, status: int, seconds: float) -> None:
        """Count a response that begins."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answered(self, *, from_texts: bool) -> None:
        """Count a chat answer that is finished."""
        self._answers.labels("answered" if from_texts else "refused").inc()

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)
