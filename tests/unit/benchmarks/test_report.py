"""What a benchmark prints and writes."""

import json
from pathlib import Path

import pytest

from benchmarks.report import Row, report, report_part

ROWS = [
    Row("bare loop", 28.0, "chunks/s"),
    Row("embedder", 25.2, "chunks/s", against="bare loop", ratio=0.9, goal=">= 0.95", met=False),
]


def test_the_file_has_every_field_of_every_row(tmp_path: Path) -> None:
    report("embedder", ROWS, tmp_path / "results")

    assert json.loads((tmp_path / "results/embedder.json").read_text()) == [
        {
            "measure": "bare loop",
            "value": 28.0,
            "unit": "chunks/s",
            "against": None,
            "ratio": None,
            "goal": None,
            "met": None,
        },
        {
            "measure": "embedder",
            "value": 25.2,
            "unit": "chunks/s",
            "against": "bare loop",
            "ratio": 0.9,
            "goal": ">= 0.95",
            "met": False,
        },
    ]


def test_the_table_says_whether_a_goal_was_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report("embedder", ROWS, tmp_path)

    assert capsys.readouterr().out.splitlines() == [
        "measure    value  unit      against    ratio  goal     met",
        "bare loop  28     chunks/s",
        "embedder   25.2   chunks/s  bare loop  0.9    >= 0.95  no",
    ]


def test_a_part_replaces_its_own_rows_and_keeps_the_others(tmp_path: Path) -> None:
    report("embedder", ROWS, tmp_path)

    report_part("embedder", [Row("bare loop", 30.0, "chunks/s")], tmp_path)

    written = json.loads((tmp_path / "embedder.json").read_text())
    assert [(row["measure"], row["value"]) for row in written] == [("embedder", 25.2), ("bare loop", 30.0)]
