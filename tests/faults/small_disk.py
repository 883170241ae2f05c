"""`python -m faults.small_disk SCENARIO SECONDS`: what happens on a disk of its own that fills up, as one line of JSON.

The disk is a tmpfs, in a mount namespace and a user namespace of its own, so nobody has to be root.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.oracle import judge_folder
from benchmarks.processes import Process, Services, restarting
from benchmarks.spawn import wait_until
from benchmarks.system import running_system
from benchmarks.targets import HttpTarget, StoreTarget
from twin_contracts.documents import document_id_of_client
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.features.edge import RESERVE, EdgeEngine
from twin_platform.features.engine import Alias, Delete, HasId, Point, Upsert
from twin_platform.features.errors import FeaturesUnavailable

SIZE = 2 * RESERVE + 64 * 1024 * 1024
BELOW_RESERVE, FULL = RESERVE // 2, 0
DEADLINE = 60.0
TESTS = Path(__file__).parents[1]
PROBE = document_id_of_client("probe")
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--fork", "--kill-child")
_PIECE = 1024 * 1024

Report = Mapping[str, object]


def on_small_disk(scenario: str, seconds: float) -> Report:
    """Run a scenario in a process of its own and return what it reports; each filling lasts so many seconds."""
    command = (*_NAMESPACES, sys.executable, "-m", "faults.small_disk", scenario, str(seconds))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n(a user who may not make namespaces has to be root for this)"
    report: Report = json.loads(done.stdout.splitlines()[-1])
    return report


@dataclass
class Disk:
    """A mounted disk that can be filled."""

    path: Path

    @property
    def free(self) -> int:
        return shutil.disk_usage(self.path).free

    @contextmanager
    def filled(self, leaving: int) -> Iterator[None]:
        """Leave so many bytes free at most, whatever is freed meanwhile; everything again when left."""
        filler, done = self.path / "filler", threading.Event()

        def fill() -> None:
            with filler.open("ab", buffering=0) as file:
                while not done.wait(0.001):
                    while (room := self.free - leaving) > 0 and not done.is_set():
                        self._write(file.write, room)

        thread = threading.Thread(target=fill)
        thread.start()
        try:
            wait_until(lambda: self.free <= leaving, DEADLINE, lambda: f"{self.free} bytes are free")
            yield
        finally:
            done.set()
            thread.join()
            filler.unlink()

    @staticmethod
    def _write(write: Callable[[bytes], int], room: int) -> None:
        try:
            write(bytes(min(_PIECE, room)))
        except OSError:  # somebody else was faster
            time.sleep(0.001)


def services(disk: Disk, seconds: float) -> Report:
    """cdc and the flow as processes; what they log is kept elsewhere."""
    elsewhere = Path(tempfile.mkdtemp(dir=disk.path.parent))
    for name in ("cdc", "flow"):
        (disk.path / f"{name}.log").symlink_to(elsewhere / f"{name}.log")
    with Services(disk.path, Ledger()) as services:
        load = Load(29, StoreTarget(services.documents), services.ledger, rate=50, documents=300)
        cdc, flow = services.start_cdc(), services.start_flow()
        with restarting(cdc, flow):
            with load.running():
                flow.wait_for_state("running")
                load.wait_for(50)
                with disk.filled(BELOW_RESERVE):
                    low = told_by(flow)
                    load.wait_for(20)
                    time.sleep(seconds)
                with disk.filled(FULL):
                    full = [told_by(cdc), told_by(flow)]
                    time.sleep(seconds)
                load.wait_for(50)
            services.wait_until_quiet()
        audit, verdict, left = services.audit(), services.verdict(), services.leftovers()
        deaths = cdc.starts + flow.starts - 2
    exact = verdict.exact and audit.exact and left == 0
    return {"low": low, "full": full, "deaths": deaths, "exact": exact, "verdict": f"{verdict}, leftovers {left}"}


def told_by(process: Process) -> str:
    """Return what the process says of its trouble, as soon as it is in any."""
    before = len(process.events())

    def troubles() -> list[str]:
        return [line["detail"] for line in process.events()[before:] if line.get("state") == "degraded"]

    wait_until(lambda: bool(troubles()), DEADLINE, lambda: f"{process.name} is in no trouble: {process.said}")
    return troubles()[-1]


def system(disk: Disk, seconds: float) -> Report:
    """`twin up`, its log on the same disk."""
    tempfile.tempdir = str(disk.path)
    with (
        running_system(EMBEDDING_MODEL="hashing") as running,
        running.client() as client,
    ):
        load = Load(29, HttpTarget(client), Ledger(), rate=50, documents=300)
        pid = running.child().pid
        with load.running():
            load.wait_for(50)
            with disk.filled(BELOW_RESERVE):
                low = told_in_status(client)
                load.wait_for(20)
                time.sleep(seconds)
            with disk.filled(FULL):
                wait_until(lambda: put(client)[0] != HTTPStatus.ACCEPTED, DEADLINE, lambda: "everything is written")
                full = put(client)
                found = client.post("/v1/search", json={"query": "load"}).status_code
                time.sleep(seconds)
            load.wait_for(50)
        wait_until(lambda: is_quiet(client), DEADLINE, lambda: client.get("/v1/status").text)
        client.delete(f"/v1/documents/{PROBE}")
        wait_until(lambda: is_quiet(client), DEADLINE, lambda: client.get("/v1/status").text)
        deaths = int(running.child().pid != pid)
        running.stop()
        verdict = judge_folder(running.data, load.ledger, HashingEmbedder().spec)
    told = {"low": low, "full": full, "found": found, "deaths": deaths}
    return {**told, "exact": verdict.exact, "verdict": str(verdict)}


def told_in_status(client: httpx.Client) -> str:
    """Return what `/v1/status` says of the flow's trouble, as soon as it is in any."""

    def trouble() -> str:
        components = client.get("/v1/status").json()["components"]
        return " ".join(one["detail"] or "" for one in components if one["name"] == "feature-stream")

    wait_until(lambda: bool(trouble()), DEADLINE, lambda: client.get("/v1/status").text)
    return trouble()


def put(client: httpx.Client) -> tuple[int, str]:
    """Write one more document, and return how that was answered."""
    body = {"type": "post", "text": f"Probe at {time.monotonic()}. " * 500, "author": "Probe", "platform": "probe"}
    response = client.put(f"/v1/documents/{PROBE}", json=body)
    return response.status_code, response.json().get("detail", "")


def is_quiet(client: httpx.Client) -> bool:
    """Return whether everything that was written is searchable."""
    status = client.get("/v1/status").json()
    return bool(status["ready"] and status["captured"] and not status["waiting"] and not status["reemissions"])


def optimize(disk: Disk, _seconds: float) -> Report:
    """Open vectors of which half were deleted, with the reserve free and no room for another copy of them."""
    reserve = 24 * _PIECE
    spec, folder = HashingEmbedder().spec, disk.path / "vectors"
    vector, version = np.eye(1, spec.dimension, dtype=np.float32)[0], {"seconds": 1, "increment": 0}
    payload = {"version": version, "text": "word " * 1000}
    points = [Point(str(UUID(int=number)), payload, vector, "word") for number in range(8000)]
    with closing(EdgeEngine(folder, spec, reserve)) as engine:
        engine.write(Alias.CHUNKS_PROSE, [Upsert(tuple(points), ())])
        engine.write(Alias.CHUNKS_PROSE, [Delete((HasId(tuple(point.id for point in points[:4000])),))])
    with disk.filled(2 * reserve), closing(EdgeEngine(folder, spec, reserve)) as engine:
        without_room = engine.count(Alias.CHUNKS_PROSE, ())
        try:
            engine.optimize()
            refused = ""
        except FeaturesUnavailable as error:
            refused = str(error)
    with closing(EdgeEngine(folder, spec, reserve)) as engine:
        engine.optimize()
        with_room = engine.count(Alias.CHUNKS_PROSE, ())
    return {"without room": without_room, "refused": refused, "with room": with_room}


def main() -> int:
    """Mount the disk, run the scenario on it, and print its report."""
    scenario = {"services": services, "system": system, "optimize": optimize}[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="small-disk-", ignore_cleanup_errors=True) as folder:
        disk = Disk(Path(folder) / "disk")
        disk.path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk.path], check=True)
        report = scenario(disk, float(sys.argv[2]))
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
