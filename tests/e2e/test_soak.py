"""`make soak`, short: what it kills, what it judges and what it draws."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.broker import NONE, program
from benchmarks.soak import KILL, WAYS

ROOT = Path(__file__).parents[2]
SECONDS = 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_a_short_soak_is_disturbed_judged_and_drawn(way: str, tmp_path: Path) -> None:
    if way == "services" and program() is None:
        pytest.skip(NONE)
    command = [sys.executable, "-m", "benchmarks.soak", "--way", way, "--seconds", str(SECONDS)]

    done = subprocess.run(
        [*command, "--results", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    (figures,), (drawn,) = tmp_path.glob("*.json"), tmp_path.glob("*.svg")
    values = {row["measure"]: row["value"] for row in json.loads(figures.read_text())}
    assert values["acknowledged writes of the load"] > SECONDS
    assert values["documents in the snapshots"] == values["documents in the store"] > 0
    assert any(measure.startswith("kill -9") for measure in values), values
    colours = {element.get("fill") for element in ET.parse(drawn).iter()}  # noqa: S314 - our own picture
    assert KILL in colours
