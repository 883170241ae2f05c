"""The embedded system as its user has it: real processes over one data folder, killed and interrupted for real."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.system import RunningSystem, running_system
from fakes.flow import eventually
from twin_cli.data_folder import DataFolder
from twin_contracts.documents import document_id_of
from twin_contracts.embedding import MINILM
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_contracts.records import RecordStatus
from twin_platform.features.open import open_feature_store

pytestmark = pytest.mark.timeout(180)
STOPPED_WITHIN = 10.0
CRASH = re.compile(r"Traceback|panicked|Fatal Python error|core dumped|Exception ignored|Task was destroyed")
NOTES = {
    "bridge.md": "# The old bridge\n\nThe old bridge of Kelmar was built in 1874 by the engineer Ruth Alder.",
    "tea.html": "<html><head><title>On tea</title></head><body><p>Green tea steeps for two minutes at "
    "seventy degrees.</p></body></html>",
    "rail.txt": "The railway to Kelmar was closed in 1961 because nobody repaired the tunnel.",
    "deep/bees.md": "# Bees\n\nA hive in winter eats about twelve kilograms of honey.",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSystem]:
    with running_system(TWIN_OWNER="Ada Sample") as system:
        yield system


@pytest.fixture
def system(shared: RunningSystem) -> Iterator[RunningSystem]:
    """A system that is up, whatever the test before did to it; what it says is shown where the test fails."""
    said = len(shared.log)
    if shared.parent.poll() is not None:
        shared.start()
    yield shared
    print(shared.log[said:])  # noqa: T201


@pytest.fixture
def stopped(shared: RunningSystem) -> RunningSystem:
    """A data folder with the notes in it, which nobody owns."""
    if shared.parent.poll() is None:
        shared.stop()
    return shared


@pytest.fixture
def notes(tmp_path_factory: pytest.TempPathFactory, shared: RunningSystem) -> Path:
    """A folder of notes that is imported; the same place for every test, so that they are the same documents."""
    folder = shared.data.parent / "notes"
    for name, text in NOTES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def essays(folder: Path, count: int) -> Path:
    """Write that many documents of some hundred tokens, all different: seconds of embedding."""
    folder.mkdir()
    for number in range(count):
        sentences = [f"In year {year} the mill {number} ground {number * year} sacks of rye." for year in range(60)]
        (folder / f"essay{number}.md").write_text(f"# Mill {number}\n\n" + "\n\n".join(sentences))
    return folder


def found(system: RunningSystem, query: str) -> list[str]:
    with system.client() as client:
        return [hit["text"] for hit in client.post("/v1/search", json={"query": query}).json()["hits"]]


def status(system: RunningSystem) -> dict[str, int]:
    with system.client() as client:
        counts: dict[str, int] = client.get("/v1/status").json()["counts"]
        return counts


def up(system: RunningSystem, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start another `twin up`, which has to end by itself."""
    return subprocess.run(
        [*system.parent.args],  # type: ignore[misc]  # a list, as it was started
        env={**system.environment, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def is_free(data: Path) -> bool:
    return DataFolder(data).owner() is None


class TestUse:
    def test_a_folder_goes_in_and_cited_answers_come_out(self, system: RunningSystem, notes: Path) -> None:
        imported = system.twin("import", str(notes))
        assert (imported.returncode, imported.stdout) == (0, "4 stored, 4 indexed, 0 refused\n")

        again = system.twin("import", str(notes))
        assert (again.returncode, again.stdout) == (0, "4 stored, 4 indexed, 0 refused\n")

        answered = system.twin("ask", "Who built the old bridge of Kelmar?")
        assert answered.returncode == 0
        assert "The old bridge of Kelmar was built in 1874 by the engineer Ruth Alder." in answered.stdout
        assert "[1] The old bridge" in answered.stdout

        refused = system.twin("ask", "Which party won the election in Peru?")
        assert refused.returncode == 0
        assert "[1]" not in refused.stdout

        searched = system.twin("search", "how long does tea take?")
        assert searched.stdout.startswith("1. On tea  (similarity 0.")
        assert "Green tea steeps for two minutes at seventy degrees." in searched.stdout

        shown = system.twin("status")
        assert shown.stdout.startswith("documents  4 stored, 4 indexed, 0 on their way, 0 rejected, 0 parked\n")
        assert "cdc: ready\nservice    feature-stream: ready" in shown.stdout

    def test_one_page_has_every_services_figures(self, system: RunningSystem, notes: Path) -> None:
        system.twin("import", str(notes))

        with system.client() as client:
            told = client.get("/metrics").text.splitlines()

        present = {"cdc", "crawler", "feature-stream", "housekeeper"}
        assert {f'twin_component_state{{component="{name}"}} 2.0' for name in present} <= set(told)
        counted = (
            "twin_cdc_documents_published_total",
            "twin_flow_documents_committed_total",
            "twin_api_requests_total",
        )
        assert all(any(line.startswith(f"{name}{{") and not line.endswith(" 0.0") for line in told) for name in counted)
        assert "twin_crawler_jobs_open 0.0" in told

    def test_an_edited_file_replaces_its_document(self, system: RunningSystem, notes: Path) -> None:
        system.twin("import", str(notes))
        before = status(system)["stored"]
        (notes / "rail.txt").write_text("The railway to Kelmar was opened again in 2019 with a battery train.")

        system.twin("import", str(notes / "rail.txt"))

        assert status(system)["stored"] == before
        texts = found(system, "railway to Kelmar")
        assert any("battery train" in text for text in texts)
        assert not any("1961" in text for text in texts)

    def test_a_deleted_document_leaves_its_tombstone_alone(self, system: RunningSystem, notes: Path) -> None:
        system.twin("import", str(notes))
        document_id = document_id_of((notes / "deep" / "bees.md").resolve().as_uri())
        with system.client() as client:
            assert client.delete(f"/v1/documents/{document_id}").status_code == 202
            eventually(lambda: client.get(f"/v1/documents/{document_id}").status_code == 404, deadline=20)

        assert not any("hive" in text for text in found(system, "honey of a hive in winter"))
        system.stop()
        with open_feature_store(f"edge://{system.data}/vectors", MINILM, DEFAULT_PARTITIONS) as features:
            assert features.records([document_id])[document_id].status is RecordStatus.DELETED
            assert list(features.chunks(document_id)) == []


class TestStop:
    @pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_parent_and_child_cleanly_in_the_middle_of_work(
        self, system: RunningSystem, tmp_path: Path, name: signal.Signals
    ) -> None:
        said = len(system.log)
        before = status(system)["stored"]
        child = system.child()
        importing = system.start_twin("import", str(essays(tmp_path / "essays", 8)))
        eventually(lambda: status(system)["stored"] >= before + 8, deadline=30)
        began = time.monotonic()

        os.killpg(system.parent.pid, name)

        assert system.parent.wait(STOPPED_WITHIN) == 0
        assert time.monotonic() - began < STOPPED_WITHIN
        assert not child.is_running()
        assert not CRASH.search(system.log[said:])
        assert "service_did_not_stop" not in system.log[said:]
        assert is_free(system.data)
        importing.send_signal(signal.SIGINT)
        out, err = importing.communicate(timeout=20)
        assert importing.returncode == 128 + signal.SIGINT
        assert not CRASH.search(out + err)

    def test_a_stop_while_starting_is_clean_too(self, stopped: RunningSystem) -> None:
        said = len(stopped.log)
        parent = subprocess.Popen([*stopped.parent.args], env=stopped.environment, stderr=subprocess.PIPE)  # type: ignore[misc]
        eventually(lambda: not is_free(stopped.data), deadline=30)

        parent.send_signal(signal.SIGTERM)

        _, err = parent.communicate(timeout=STOPPED_WITHIN)
        assert parent.returncode == 0
        assert not CRASH.search(err.decode() + stopped.log[said:])
        assert is_free(stopped.data)


class TestKill:
    def test_a_killed_child_is_replaced_and_an_import_under_way_goes_on(
        self, system: RunningSystem, tmp_path: Path
    ) -> None:
        before = status(system)["stored"]
        child = system.child().pid
        importing = system.start_twin("import", str(essays(tmp_path / "essays", 8)))
        eventually(lambda: status(system)["stored"] > before, deadline=60)

        system.kill_child()

        out, err = importing.communicate(timeout=120)
        assert (importing.returncode, out) == (0, "8 stored, 8 indexed, 0 refused\n"), err
        assert system.child().pid != child
        assert '"event": "child_died", "status": -9' in system.log

    def test_the_child_of_a_killed_parent_ends_by_itself(self, system: RunningSystem) -> None:
        child = system.child()

        system.parent.kill()

        child.wait(STOPPED_WITHIN)
        assert is_free(system.data)
        system.parent.wait()


class TestRefusals:
    def test_a_second_system_on_the_folder_is_refused_and_the_first_goes_on(self, system: RunningSystem) -> None:
        second = up(system)

        assert second.returncode != 0
        assert second.stderr == (
            f"the data folder {str(system.data)!r} is in use by process {system.child().pid}, which serves it at "
            f"{system.url}; use that one (every `twin` command does), or stop it, or set TWIN_DATA to another folder\n"
        )
        assert status(system)["stored"] >= 0

    def test_a_port_in_use_is_refused(self, system: RunningSystem, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]

            refused = up(system, TWIN_DATA=str(tmp_path / "other"), RAG_API_PORT=str(port))

        assert refused.returncode != 0
        assert refused.stderr.startswith(
            f"cannot listen on 127.0.0.1 port {port}: Address already in use by process {os.getpid()}"
        )
        assert refused.stderr.endswith("; set RAG_API_PORT to another port, or to 0 for any free one\n")
        assert is_free(tmp_path / "other")

    def test_a_folder_of_another_format_is_refused(self, system: RunningSystem, tmp_path: Path) -> None:
        with DataFolder(tmp_path / "other"):
            pass
        (tmp_path / "other" / "format").write_text("99")

        refused = up(system, TWIN_DATA=str(tmp_path / "other"))

        assert refused.returncode != 0
        assert refused.stderr.startswith(f"the data folder {str(tmp_path / 'other')!r} has format '99'")
        assert refused.stderr.count("\n") == 1


class TestWithoutASystem:
    def test_a_command_runs_what_it_needs_and_frees_the_folder(self, stopped: RunningSystem, notes: Path) -> None:
        imported = stopped.twin("import", str(notes))
        searched = stopped.twin("search", "who engineered the bridge?", "--author", "Ada Sample")

        assert imported.stdout == "4 stored, 4 indexed, 0 refused\n", imported.stderr
        assert "Ruth Alder" in searched.stdout
        assert not CRASH.search(imported.stderr + searched.stderr)
        assert is_free(stopped.data)

    def test_of_two_at_once_the_second_speaks_to_the_first_and_outlives_it(
        self, stopped: RunningSystem, tmp_path: Path
    ) -> None:
        first = stopped.start_twin("import", str(essays(tmp_path / "first", 6)))
        eventually(lambda: not is_free(stopped.data), deadline=30)

        second = stopped.start_twin("import", str(essays(tmp_path / "second", 12)))

        assert first.communicate(timeout=120)[0] == "6 stored, 6 indexed, 0 refused\n"
        assert second.communicate(timeout=120)[0] == "12 stored, 12 indexed, 0 refused\n"


def overwrite_every_file(vectors: Path) -> None:
    for path in sorted(vectors.rglob("*")):
        if path.is_file():
            path.write_bytes(b"garbage" * 100)


def remove_a_configuration(vectors: Path) -> None:
    next(vectors.rglob("edge_config.json")).write_text("{}")


def remove_the_chunks(vectors: Path) -> None:
    for folder in vectors.glob("chunks_*__*"):
        shutil.rmtree(folder)


class TestVectors:
    @pytest.mark.parametrize("damage", [overwrite_every_file, remove_a_configuration, remove_the_chunks])
    def test_damaged_vectors_are_made_again(
        self, stopped: RunningSystem, notes: Path, damage: Callable[[Path], None]
    ) -> None:
        stopped.twin("import", str(notes))
        damage(stopped.data / "vectors")

        stopped.start()

        eventually(
            lambda: any("Ruth Alder" in text for text in found(stopped, "who built the old bridge?")), deadline=60
        )
        eventually(lambda: status(stopped)["stored"] == status(stopped)["indexed"], deadline=60)
        if damage is not remove_the_chunks:
            assert "the vectors could not be read" in stopped.log
            assert (stopped.data / "vectors.aside").exists()
