"""Libraries that tell their makers about who uses them are kept from it."""

import os
import subprocess
import sys
from pathlib import Path

SWITCHES = {"CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY"}
"""What would keep the model's runtime silent without our doing."""


def test_the_models_runtime_leaves_no_identifier_of_this_machine_behind(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    folders = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}

    subprocess.run([sys.executable, "-c", "import twin_platform.embedding.onnx"], env=environment | folders, check=True)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
