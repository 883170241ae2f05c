"""What watches the system against the system: every figure, alert and panel names something that is there."""

import re
from pathlib import Path

import pytest
import yaml

from scripts.metrics import LISTS, OBSERVABILITY, PAGE, alerts, expressions, named, page, panels
from twin_platform.telemetry.health import STATES
from twin_platform.telemetry.metrics import Counter, Histogram, Metric, NoMetrics
from twin_platform.telemetry.prometheus import PrometheusMetrics

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
OURS = {metric.name: metric for metrics in LISTS.values() for metric in metrics}
NOT_OURS = {
    name: set(re.findall(r"[a-z]+", labels))
    for name, labels in re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*) \|[^|]+\|$", PAGE.read_text("utf-8"), re.MULTILINE)
}
"""What the page lists as others' figures, with their labels."""
SCRAPED = {"job", "instance"}
MADE = {"lane"}
"""Labels that a panel's own `label_replace` makes."""
PANELS = panels()


def test_the_page_lists_every_figure_of_the_code_and_no_other() -> None:
    """Where this fails, `make metrics` writes the page anew."""
    assert PAGE.read_text("utf-8") == page()


def test_every_figure_is_used_by_an_alert_or_a_panel() -> None:
    used = {name for _, expression in expressions() for name in named(expression)}

    assert OURS.keys() - used == set()
    assert NOT_OURS.keys() - used == set()


@pytest.mark.parametrize("metrics", LISTS.values(), ids=LISTS)
def test_what_a_service_shows_is_its_list_and_its_process(metrics: tuple[Metric, ...]) -> None:
    told = re.findall(r"^# TYPE (\w+)", PrometheusMetrics(metrics).text().decode(), re.MULTILINE)

    shown = {metric.name for metric in metrics if isinstance(metric, Counter | Histogram)}
    assert {name for name in told if not name.startswith("process_")} == shown


def test_an_expression_asks_only_for_figures_and_labels_that_there_are() -> None:
    for where, expression in expressions():
        names = named(expression)
        known = SCRAPED | (MADE if "label_replace" in expression else set())
        for name in names:
            known |= {*OURS[name].labels, "le"} if name in OURS else NOT_OURS[name]
        braces = re.findall(r"\{([^}]*)}", expression)
        selected = {label for inside in braces for label in re.findall(r"(\w+)[=!]", inside)}
        groups = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
        grouped = {label for group in groups for label in group.split(", ")}

        assert names, where
        assert selected | grouped <= known, where


def test_a_value_that_an_expression_selects_is_one_that_its_counter_has() -> None:
    for where, expression in expressions():
        for name, braces in re.findall(r"(\w+)\{([^}]*)}", expression):
            metric = OURS.get(name)
            if isinstance(metric, Counter) and metric.values:
                assert set(re.findall(r'\w+!?="([^"]*)"', braces)) <= set(metric.values), where


def test_an_expressions_names_are_found_whatever_is_around_them() -> None:
    expression = (
        'histogram_quantile(0.9, sum by (le, a) (rate(x_seconds_bucket{b="c d",e!~"f"}[5m]))) > 2e9 or vector(0)'
    )

    assert named(expression) == {"x_seconds"}


def test_the_runbooks_table_and_the_rules_say_the_same() -> None:
    rows = re.findall(r"^\| \[(.+?)]\((#.+?)\) \| (\w+) \| `(.+)` \| (.+?) \|$", RUNBOOK, re.MULTILINE)

    assert rows == [
        (
            rule["alert"],
            rule["annotations"]["runbook_url"].removeprefix("docs/runbook.md"),
            rule["labels"]["severity"],
            " ".join(rule["expr"].split()),
            rule["for"].replace("m", " min") if "for" in rule else "at once",
        )
        for rule in alerts()
    ]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_and_has_a_section_of_the_runbook(rule: dict[str, dict[str, str]]) -> None:
    name = str(rule["alert"])

    assert f"\n### {name}\n" in RUNBOOK
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower().replace(' ', '-')}"
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in {"critical", "warning"}


def test_every_alert_is_shown_firing_and_not_firing() -> None:
    tests = yaml.safe_load((OBSERVABILITY / "rules_test.yml").read_text("utf-8"))["tests"]
    fires = {
        re.findall(r'alertname="([^"]+)"', one["expr"])[0] for test in tests for one in test.get("promql_expr_test", ())
    }
    silent = {one["alertname"] for test in tests for one in test.get("alert_rule_test", ()) if "exp_alerts" not in one}

    names = {rule["alert"] for rule in alerts()}
    assert fires == silent == names


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, object]) -> None:
    assert panel["title"]
    assert str(panel["description"]).endswith(".")
    if panel["type"] != "text":
        assert panel["fieldConfig"]["defaults"]["unit"]  # type: ignore[index]  # read from JSON
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}


def test_panels_have_each_their_own_id_title_and_place() -> None:
    places = [panel["gridPos"] for panel in PANELS]

    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboards_source_is_the_one_that_is_provisioned() -> None:
    sources = (OBSERVABILITY / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8")

    assert [source["uid"] for source in yaml.safe_load(sources)["datasources"]] == ["prometheus"]


def test_every_service_of_the_chain_is_asked() -> None:
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text("utf-8"))

    assert {job["job_name"] for job in config["scrape_configs"]} == {*LISTS, "rabbitmq", "qdrant"} - {"Every service"}


def test_metrics_that_nobody_reads_are_taken_all_the_same() -> None:
    metrics = NoMetrics()

    metrics.count(Counter("a_total", "A.", labels=("b",)), "c", by=2)
    metrics.show(STATES, lambda: None)
