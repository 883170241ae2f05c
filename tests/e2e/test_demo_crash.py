"""`make demo-crash`: three real kills in front of the reader, a table that ends in zeros, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from benchmarks.demo_crash import count
from benchmarks.demo_writer import Acknowledged
from fakes.flow import eventually
from twin_contracts.base import uuid_of
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.features.open import open_feature_store
from twin_platform.telemetry.clock import SystemClock

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)


def environment(folder: Path) -> Mapping[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8"}


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return every process whose data folder is below `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TWIN_DATA", "").startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def figure(shown: str, name: str) -> int:
    told = re.search(rf"^ +{name} +(\d+)\b", shown, re.MULTILINE)
    assert told, f"{name} is not in the table:\n{shown}"
    return int(told[1])


def test_three_kills_are_shown_and_nothing_is_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "demo-crash"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    killed = re.findall(r"^ +kill -9 (\d+) .*\n +The log on disk holds (\d+) events", done.stdout, re.MULTILINE)
    assert len({pid for pid, _ in killed}) == 3
    assert all(int(events) > 0 for _, events in killed)
    assert [figure(done.stdout, name) for name in ("lost", "stale", "visible orphans", "unexpected")] == [0, 0, 0, 0]
    assert (
        figure(done.stdout, "acknowledged") == figure(done.stdout, "stored") == figure(done.stdout, "searchable") > 50
    )
    assert "Why nothing is lost" in done.stdout
    assert "\x1b" not in done.stdout
    assert (list(tmp_path.glob("twin-*")), processes_of(tmp_path)) == ([], [])


def test_ctrl_c_leaves_nothing_running_and_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.demo_crash"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as showing:
        assert showing.stdout
        next(line for line in showing.stdout if "Importing" in line)
        showing.send_signal(signal.SIGINT)
        _, err = showing.communicate(timeout=60)

    assert showing.returncode == 130
    assert "nothing is left running" in err
    eventually(lambda: not processes_of(tmp_path))
    assert list(tmp_path.glob("twin-*")) == []


def test_a_lost_document_is_shown_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = HashingEmbedder().spec
    with (
        open_document_store(f"sqlite://{tmp_path}/documents.db", SystemClock()),
        open_feature_store(f"edge://{tmp_path}/vectors", spec),
    ):
        promised = Acknowledged({uuid_of("lost"): "0" * 64}, imported=1)

    exact = count(tmp_path, spec, promised, redelivered=0)

    assert not exact
    assert figure(capsys.readouterr().out, "lost") == 1
