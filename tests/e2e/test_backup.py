"""The runbook's commands that back a data folder up and restore it, run as they stand there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import ROOT
from benchmarks.system import RunningSystem, running_system
from twin_cli.up import REFUSED

RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
WHILE_IT_RUNS, IN_THE_COLD, RESTORED = re.findall(r"^```sh\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)
NEEDLE = "The lamp of the lighthouse at Skagen is lit at half past four."


@pytest.fixture
def system() -> Iterator[RunningSystem]:
    with running_system(EMBEDDING_MODEL="hashing") as system:
        yield system


def run(system: RunningSystem, commands: str, backup: Path) -> None:
    environment = {**system.environment, "BACKUP": str(backup)}
    subprocess.run(["bash", "-euc", commands], env=environment, cwd=ROOT, check=True, timeout=60)


def put(system: RunningSystem, name: str, text: str) -> None:
    with system.client() as client:
        client.put(f"/v1/documents/{name}", json={"text": text, "type": "post"}).raise_for_status()
        status = client.get(f"/v1/documents/{name}?wait=indexed&timeout=30").raise_for_status().json()
    assert status["status"] == "indexed"


def found(system: RunningSystem, query: str) -> list[str]:
    with system.client() as client:
        hits = client.post("/v1/search", json={"query": query}).raise_for_status().json()["hits"]
    return [hit["text"] for hit in hits]


def lose(system: RunningSystem) -> None:
    shutil.rmtree(system.data)
    system.data.mkdir()


def repaired(system: RunningSystem) -> str:
    """Do what follows on every restoring, and return what the audit says."""
    for command in ("resync", "audit"):
        done = system.twin(command)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_copy_made_while_it_runs_restores_a_lost_folder(system: RunningSystem, tmp_path: Path) -> None:
    put(system, "lamp", NEEDLE)
    key, backup = system.key, tmp_path / "backup"
    run(system, WHILE_IT_RUNS, backup)
    put(system, "later", "Written after the backup.")
    system.stop()
    lose(system)

    run(system, RESTORED, backup)
    system.environment["LOG_PARTITIONS"] = "4"  # a new log may have another number
    system.start()
    audited = repaired(system)

    assert system.key == key
    assert found(system, "lamp of the lighthouse") == [NEEDLE]
    assert "1 documents" in audited
    assert system.stop() == 0


def test_a_cold_copy_restores_everything_and_refuses_another_number_of_partitions(
    system: RunningSystem, tmp_path: Path
) -> None:
    put(system, "lamp", NEEDLE)
    system.stop()
    backup = tmp_path / "backup"
    run(system, IN_THE_COLD, backup)
    lose(system)

    run(system, RESTORED, backup)
    wrong = subprocess.run(
        [ROOT / ".venv/bin/twin", "up"],
        env={**system.environment, "LOG_PARTITIONS": "4"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    system.start()

    assert found(system, "lamp of the lighthouse") == [NEEDLE]
    assert wrong.returncode == REFUSED
    assert "was installed with 8 partitions and cannot be opened with 4" in wrong.stdout + wrong.stderr
