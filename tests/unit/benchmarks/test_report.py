"""What a benchmark prints and writes."""

import json
from pathlib import Path

import pytest

from benchmarks import report as module
from benchmarks.report import Row, report

ROWS = [
    Row("bare loop", 28.0, "chunks/s"),
    Row("embedder", 25.2, "chunks/s", against="bare loop", ratio=0.9, goal=">= 0.95", met=False),
]


def test_the_file_has_every_field_of_every_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")

    report("embedder", ROWS)

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


def test_the_table_says_whether_a_goal_was_met(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "RESULTS", tmp_path)

    report("embedder", ROWS)

    assert capsys.readouterr().out.splitlines() == [
        "measure    value  unit      against    ratio  goal     met",
        "bare loop  28     chunks/s",
        "embedder   25.2   chunks/s  bare loop  0.9    >= 0.95  no",
    ]
