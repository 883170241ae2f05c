"""What a system with nothing to do costs, and what reading big inputs costs the command that imports them."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.backlog_rows import MEMORY_MB, Sizes
from benchmarks.freshness import wait_until_quiet
from benchmarks.generated import article
from benchmarks.memory import watched
from benchmarks.report import Row
from benchmarks.system import RunningSystem, running_system

IDLE_SECONDS = 20.0
SETTLED_SECONDS = 5.0
IDLE_SHARE = 0.03
FILE_CHARACTERS = 300
REFUSED_CHARACTERS = 1_000_000


def idle(_: Sizes) -> list[Row]:
    """Let a system do nothing, and measure what it takes for that."""
    with running_system(EMBEDDING_MODEL="hashing") as system:
        with system.client() as client:
            wait_until_quiet(client)
        time.sleep(SETTLED_SECONDS)
        child = system.child()
        before, began = child.cpu_times(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        after, seconds = child.cpu_times(), time.monotonic() - began
    share = (after.user + after.system - before.user - before.system) / seconds
    goal = f"<= {IDLE_SHARE * 100:g}"
    return [Row("idle: of one core", share * 100, "%", goal=goal, met=share <= IDLE_SHARE)]


def inputs(sizes: Sizes) -> list[Row]:
    """Import many files, and a big JSON file whose documents are all refused: the reading is what counts."""
    with TemporaryDirectory(prefix="twin-inputs-") as name, running_system(EMBEDDING_MODEL="hashing") as system:
        folder = Path(name, "folder")
        folder.mkdir()
        for number in range(sizes.files):
            (folder / f"{number}.md").write_text(article(number, FILE_CHARACTERS).text, "utf-8")
        big = Path(name, "big.json")
        items = sizes.json_bytes // REFUSED_CHARACTERS
        refused = [{"type": "nothing", "text": "x" * REFUSED_CHARACTERS}] * items
        big.write_text(json.dumps(refused), "utf-8")
        return [
            imported(system, folder, f"import of {sizes.files:,} files"),
            imported(system, big, f"import of a JSON file of {sizes.json_bytes / 1e6:g} MB"),
        ]


def imported(system: RunningSystem, path: Path, name: str) -> Row:
    """Run `twin import`, and return the row of the most memory that it took."""
    command = system.start_twin("import", str(path))
    with watched(command.pid) as memory:
        command.communicate()
    met = memory.resident < MEMORY_MB
    return Row(
        f"{name}: resident memory of the command, most", memory.resident, "MB", None, None, f"< {MEMORY_MB:g}", met
    )
