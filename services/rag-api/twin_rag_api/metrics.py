"""The API's figures: a closed list, here alone."""

from collections.abc import Sequence
from typing import Final

from twin_platform.telemetry.metrics import Counter, Histogram, Metric

NO_ROUTE: Final = "none"
"""Stands for whatever was refused before it came to a route."""

REQUESTS: Final = Counter(
    "twin_api_requests_total",
    "Requests, by route (the pattern, not the path; none where it was refused before) and status.",
    labels=("route", "status"),
)
SECONDS: Final = Histogram(
    "twin_api_request_seconds",
    "From a request to the beginning of its response, by route; a chat that is not streamed begins with its end.",
    (0.005, 0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 30.0, 120.0),
    labels=("route",),
)
ANSWERS: Final = Counter(
    "twin_api_answers_total",
    "Chat answers that were finished, by outcome: answered from the texts, or refused since nothing in them answers.",
    labels=("outcome",),
    values=("answered", "refused"),
)
MODEL_FAILURES: Final = Counter(
    "twin_api_model_failures_total",
    "Answers that the language model broke off or did not begin; without one they are the documents' own sentences.",
)
METRICS: Final[Sequence[Metric]] = (REQUESTS, SECONDS, ANSWERS, MODEL_FAILURES)


def outcome_of(*, from_texts: bool) -> str:
    """Return the outcome of a chat answer that is finished."""
    return "answered" if from_texts else "refused"
