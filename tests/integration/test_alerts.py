"""The rules and the configuration of deploy/observability as Prometheus reads them: its promtool says what is wrong."""

import shutil
import subprocess
from pathlib import Path

import pytest

OBSERVABILITY = Path(__file__).parents[2] / "deploy/observability"
SECONDS = 60


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: install prometheus")
    return found


def run(promtool: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [promtool, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The folder as a container has it, but for where secrets lie."""
    folder, secrets = tmp_path / "prometheus", tmp_path / "secrets"
    shutil.copytree(OBSERVABILITY, folder)
    secrets.mkdir()
    (secrets / "QDRANT_API_KEY").write_text("a key", "ascii")
    config = folder / "prometheus.yml"
    config.write_text(config.read_text("utf-8").replace("/run/twin", str(secrets)), "utf-8")
    return folder


def test_the_configuration_and_the_rules_that_it_names_are_valid(promtool: str, copied: Path) -> None:
    done = run(promtool, copied, "check", "config", "prometheus.yml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


def test_every_alert_fires_when_it_should_and_not_beside_it(promtool: str) -> None:
    done = run(promtool, OBSERVABILITY, "test", "rules", "rules_test.yml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_condition_that_never_holds_is_noticed(promtool: str, copied: Path) -> None:
    rules = copied / "rules.yml"
    rules.write_text(rules.read_text("utf-8").replace('{lane="refill"}', '{lane="refil"}'), "utf-8")

    done = run(promtool, copied, "test", "rules", "rules_test.yml")

    assert done.returncode != 0
    assert "A re-emission stands" in done.stdout + done.stderr
