"""`make metrics`: write the tables of docs/metrics.md from the services' own lists, and where each figure is used.

A test compares what this would write with what is there.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from twin_cdc import metrics as cdc
from twin_crawler import metrics as crawler
from twin_feature_stream import metrics as flow
from twin_platform.telemetry.health import STATES
from twin_platform.telemetry.metrics import Counter, Gauge, Metric
from twin_rag_api import metrics as api

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/metrics.md"
OBSERVABILITY: Final = ROOT / "deploy/observability"
LISTS: Final[Mapping[str, Sequence[Metric]]] = {
    "Every service": (STATES,),
    "crawler": crawler.METRICS,
    "cdc": cdc.METRICS,
    "feature-stream": flow.METRICS,
    "rag-api": api.METRICS,
}
"""The lists by the headings of the page."""
_HEAD: Final = "| figure | type | labels | meaning | used by |\n|---|---|---|---|---|\n"
_NO_NAMES: Final = re.compile(r'"[^"]*"|\{[^}]*}|\[[^]]*]|(?:\w+ )?\b(?:by|on) \([^)]*\)|[a-z_]+(?=\()')
"""What of an expression, its strings gone, names no metric: selectors, ranges, groupings, functions."""
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "e6", "e9"})


def alerts() -> list[Mapping[str, Any]]:  # Any: a rule as Prometheus reads it
    """Return every rule, in its file's order."""
    groups = yaml.safe_load((OBSERVABILITY / "rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:  # Any: a panel as Grafana reads it
    """Return every panel of the dashboard but the rows' headings, in its order."""
    board = json.loads((OBSERVABILITY / "grafana/dashboards/chain.json").read_text("utf-8"))
    return [panel for panel in board["panels"] if panel["type"] != "row"]


@cache
def expressions() -> Sequence[tuple[str, str]]:
    """Return who asks for something, an alert or a panel, and its expression."""
    asked = [(f"alert *{alert['alert']}*", alert["expr"]) for alert in alerts()]
    return asked + [(panel["title"], target["expr"]) for panel in panels() for target in panel.get("targets", ())]


def named(expression: str) -> set[str]:
    """Return the metrics that an expression names, a histogram by its own name."""
    bare = re.sub(r'"[^"]*"', "", expression)
    found = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", _NO_NAMES.sub(" ", bare))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found} - _WORDS


def page() -> str:
    """Return the page as it should be: every table anew, the rest as it is."""
    return "\n## ".join(map(_section, PAGE.read_text("utf-8").split("\n## ")))


def _section(section: str) -> str:
    metrics = LISTS.get(section.partition("\n")[0])
    if metrics is None:
        return section
    prose = re.sub(r"^\|.*\n?", "", section, flags=re.MULTILINE).rstrip()
    return f"{prose}\n\n{_HEAD}{''.join(map(_row, metrics))}"


def _row(metric: Metric) -> str:
    kind = "counter" if isinstance(metric, Counter) else "gauge" if isinstance(metric, Gauge) else "histogram, seconds"
    users = list(dict.fromkeys(user for user, expression in expressions() if metric.name in named(expression)))
    labels = ", ".join(metric.labels)
    return f"| `{metric.name}` | {kind} | {labels} | {metric.meaning} | {', '.join(users)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
