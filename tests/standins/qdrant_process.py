"""The stand-in in a process of its own: started, killed and started again over one folder, and told its faults."""

import json
import os
from pathlib import Path
from typing import Self
from urllib.request import Request, urlopen

from benchmarks.processes import ROOT, Process
from benchmarks.spawn import Spawner, free_port
from standins.qdrant_faults import Fault

_ANSWER_SECONDS = 10


class QdrantStandIn:
    """One stand-in; its port stays the same over its starts."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._spawner = Spawner()
        path = (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", ""))
        self.process = Process(
            "vectors",
            ("-m", "standins.qdrant", "--port", str(self.port), "--folder", str(folder / "qdrant"), *options),
            os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
            folder / "vectors.log",
            self._spawner,
        )

    def start(self) -> Self:
        """Start it and wait until it answers."""
        self.process.start().wait_for_state("running")
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    def fault(self, fault: Fault) -> None:
        """Have it do this wrong from now on."""
        set_fault(self.url, fault)

    def met(self) -> int:
        """Return how many requests have met the fault."""
        return requests_met(self.url)

    def close(self) -> None:
        """Kill it, if it runs."""
        if self.process.alive:
            self.process.kill()
        self._spawner.close()

    def __enter__(self) -> Self:
        """Return it started."""
        return self.start()

    def __exit__(self, *exception: object) -> None:
        """Kill it."""
        self.close()


def set_fault(url: str, fault: Fault) -> None:
    """Have the stand-in at `url` do this wrong from now on; `Fault(times=0)` ends it."""
    _ask(Request(f"{url}/faults", fault.model_dump_json().encode(), method="PUT"))  # noqa: S310 - our own URL


def requests_met(url: str) -> int:
    """Return how many requests have met the present fault."""
    return int(_ask(Request(f"{url}/faults"))["met"])  # noqa: S310 - our own URL


def _ask(request: Request) -> dict[str, int]:
    with urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - our own URL
        told: dict[str, int] = json.loads(answer.read())
        return told
