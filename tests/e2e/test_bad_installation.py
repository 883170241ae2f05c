"""What a person reads where the installation is broken: what is wrong, what is lost by it, and what to do."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

import httpx
import pytest

from benchmarks.system import running_system as running_processes
from fakes.flow import NoLogger
from twin_cli.data_folder import DataFolder
from twin_cli.errors import CommandError
from twin_cli.launch import running_system
from twin_cli.settings import Settings
from twin_contracts.embedding import EmbeddingModel
from twin_platform.errors import PlatformError

pytestmark = pytest.mark.timeout(120)
NOTE = "The ferry of Kelmar sails at dawn."
HOLDS = {
    "documents.db": "the documents: restore it from a backup; without one, move the whole data folder away, and import "
    "again",
    "records.db": "keys, who the owner is, merged authors and crawls: restore it from a backup, or move it away with "
    "its -wal and -shm, and these begin anew",
    "log.db": "only what is on its way: move it away with its -wal and -shm, and that is sent again",
}


@contextmanager
def system(folder: Path, said: list[str]) -> Iterator[httpx.Client]:
    settings = Settings(twin_data=folder, embedding_model=EmbeddingModel.HASHING)
    with (
        DataFolder(folder) as owned,
        running_system(owned, settings, 0, NoLogger(), said.append) as url,
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {owned.key}"}, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one indexed document, that nobody owns."""
    folder = tmp_path_factory.mktemp("made") / "data"
    with system(folder, []) as client:
        put(client)
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


def put(client: httpx.Client) -> None:
    client.put("/v1/documents/note", json={"type": "post", "text": NOTE}).raise_for_status()
    assert status(client) == "indexed"


def status(client: httpx.Client) -> str:
    told = client.get("/v1/documents/note?wait=indexed&timeout=20").json()["status"]
    assert isinstance(told, str)
    return told


def refusal(folder: Path) -> str:
    with pytest.raises(PlatformError) as refused, system(folder, []):
        pass
    return str(refused.value)


def overwrite(file: Path, content: bytes) -> None:
    for each in file.parent.glob(file.name + "*"):
        each.unlink()
    file.write_bytes(content)


def put_foreign_database(file: Path) -> None:
    overwrite(file, b"")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE diary (entry)")


def put_folder(file: Path) -> None:
    overwrite(file, b"")
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "random bytes": (lambda file: overwrite(file, b"\x07\x55" * 10_000), "file is not a database"),
    "cut off": (lambda file: overwrite(file, file.read_bytes()[:5000]), "database disk image is malformed"),
    "a stranger's": (put_foreign_database, "it is a database of another program or another store"),
    "a folder": (put_folder, "it is a folder"),
}


@pytest.mark.parametrize("name", HOLDS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_database_that_is_none_is_told_with_what_it_held_and_left_untouched(
    data: Path, name: str, damage: str
) -> None:
    change, why = DAMAGES[damage]
    file = data / name
    change(file)
    before = file.read_bytes() if file.is_file() else b""

    said = refusal(data)

    assert said == f"{str(file)!r} cannot be used: {why}. It is left untouched, and holds {HOLDS[name]}"
    assert (file.read_bytes() if file.is_file() else b"") == before


@pytest.mark.parametrize("gone", ["is missing", "is empty"])
def test_documents_that_are_gone_do_not_take_what_is_searchable_with_them(data: Path, gone: str) -> None:
    file = data / "documents.db"
    backup = file.read_bytes()
    overwrite(file, b"")
    if gone == "is missing":
        file.unlink()

    said = refusal(data)
    overwrite(file, backup)

    assert said == (
        f"{str(file)!r} {gone}, and documents were in it; restore it from a backup, or move the whole data folder away "
        "and import again: nothing was changed"
    )
    with system(data, []) as client:
        assert status(client) == "indexed"


def test_without_its_records_a_folder_keeps_its_documents_and_says_what_begins_anew(data: Path) -> None:
    overwrite(data / "records.db", b"")
    said: list[str] = []

    with system(data, said) as client:
        assert status(client) == "indexed"

    (told,) = [line for line in said if "records.db" in line]
    assert told.endswith("is missing: keys, the owner, merged authors and crawls begin anew; documents are kept")


def test_without_its_log_a_folder_goes_on(data: Path) -> None:
    overwrite(data / "log.db", b"")

    with system(data, []) as client:
        client.put("/v1/documents/note", json={"type": "post", "text": NOTE + " And at noon."}).raise_for_status()

        assert status(client) == "indexed"


def test_vectors_that_cannot_be_read_are_set_aside_and_made_again(data: Path) -> None:
    shutil.rmtree(data / "vectors")
    collection = data / "vectors" / "documents__1__packed"
    shutil.copytree(Path(__file__).parent, collection, ignore=shutil.ignore_patterns("__*"))
    said: list[str] = []

    with system(data, said) as client:
        assert status(client) == "indexed"

    (told,) = [line for line in said if "vectors" in line]
    assert told.endswith(f"; set aside in {data / 'vectors.aside'}, rebuilding them from the documents")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.9"])
def test_an_address_of_another_machine_is_told_as_that(tmp_path: Path, host: str) -> None:
    settings = Settings(twin_data=tmp_path / "data", rag_api_host=host)

    with (
        pytest.raises(CommandError) as refused,
        DataFolder(tmp_path / "data") as owned,
        running_system(owned, settings, 0, NoLogger(), print),
    ):
        pass

    assert re.fullmatch(
        rf"cannot listen on {host} port 0: .+; set RAG_API_HOST to an address of .+", str(refused.value)
    )


def twin(data: Path, *words: str, **settings: str) -> tuple[int, str]:
    environment = {**os.environ, "TWIN_DATA": str(data), "EMBEDDING_MODEL": "hashing", "RAG_API_PORT": "0", **settings}
    command = [sys.executable, "-m", "twin_cli", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_port_in_use_is_told_with_who_has_it(tmp_path: Path) -> None:
    with socket(AF_INET, SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        code, said = twin(tmp_path / "data", "up", RAG_API_PORT=str(port))

    assert code == 3
    assert re.fullmatch(
        rf"cannot listen on 127\.0\.0\.1 port {port}: Address already in use by process {os.getpid()} \(.+\); "
        r"set RAG_API_PORT to another port, or to 0 for any free one\n",
        said,
    )


def test_a_second_system_on_a_folder_is_told_where_the_first_is_and_a_killed_one_leaves_no_lock() -> None:
    with running_processes(EMBEDDING_MODEL="hashing") as first:
        owner = DataFolder(first.data).owner()
        assert owner is not None

        code, said = twin(first.data, "up")

        assert code == 3
        assert f"is in use by process {owner.pid}, which serves it at {first.url}; use that one" in said
        first.parent.kill()
        first.parent.wait()
        assert twin(first.data, "status")[0] == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 2 MB of its own, None where this user may mount none."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        yield None
        return
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize("words", [["up"], ["status"], ["import", __file__.replace(".py", ".md")]])
def test_a_read_only_disk_is_told(disk: Path | None, tmp_path: Path, words: list[str]) -> None:
    Path(tmp_path / "test_bad_installation.md").write_text("# A note")
    words = [word if not word.endswith(".md") else str(tmp_path / "test_bad_installation.md") for word in words]
    if disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    place = disk / "data" if disk else Path("/sys/llm-twin")  # nobody may make a folder there

    code, said = twin(place, *words)

    assert code in (1, 3)
    assert f"the data folder {str(place)!r} cannot be used: " in said
    assert "set TWIN_DATA to another folder" in said
    assert disk is None or "Read-only file system; make the disk writable" in said


def test_a_full_disk_is_told_and_nothing_half_made_stays_in_the_way(disk: Path | None, tmp_path: Path) -> None:
    if disk is None:  # tests/unit/cli/test_data_folder.py has it without a disk
        return
    (disk / "ballast").write_bytes(bytes(1_900_000))
    with contextlib.suppress(OSError), (disk / "rest").open("wb", buffering=0) as rest:
        while True:
            rest.write(bytes(4096))

    code, said = twin(disk / "data", "status")
    (disk / "rest").unlink()
    later, without_room = twin(disk / "data", "status")

    assert code == 1
    assert "cannot be used: No space left on device; make room, or set TWIN_DATA to another folder\n" in said
    assert later == 1
    assert "must stay free; make room" in without_room or "is full" in without_room
