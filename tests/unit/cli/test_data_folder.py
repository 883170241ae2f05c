"""One process owns a data folder; it is made privately, migrated or refused, and freed however its owner ends."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twin_cli import data_folder
from twin_cli.data_folder import FORMAT, DataFolder, Owner
from twin_cli.errors import FolderTaken, FolderUnusable, NotADataFolder, OtherFolderFormat


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "new" / "data")
    yield folder
    folder.release()


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "_PATIENCE_SECONDS", 0.0)


@contextmanager
def other_process_owning(path: Path) -> Iterator[subprocess.Popen[str]]:
    program = "import sys, pathlib; from twin_cli.data_folder import DataFolder; "
    program += f"folder = DataFolder(pathlib.Path({str(path)!r})); folder.take(); folder.announce('http://there:1'); "
    program += "print('taken', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_its_key_are_for_the_owner_alone(folder: DataFolder) -> None:
    assert folder.key is None

    folder.take()

    assert mode(folder.path) == 0o700
    assert mode(folder.path / "key") == 0o600
    assert len(folder.key or "") >= 32


def test_an_empty_folder_that_was_there_becomes_private(folder: DataFolder) -> None:
    folder.path.mkdir(mode=0o755, parents=True)

    folder.take()

    assert mode(folder.path) == 0o700


def test_the_key_stays_when_the_folder_is_taken_again(folder: DataFolder) -> None:
    folder.take()
    key = folder.key
    folder.release()

    folder.take()

    assert folder.key == key


def test_a_folder_of_another_process_is_refused_with_its_id(folder: DataFolder) -> None:
    with other_process_owning(folder.path) as process:
        told = f"by process {process.pid}, which serves it at http://there:1; use that one"
        with pytest.raises(FolderTaken, match=told):
            folder.take()

        assert folder.owner() == Owner(process.pid, "http://there:1")


def test_the_owner_says_where_it_listens(folder: DataFolder) -> None:
    with other_process_owning(folder.path) as process:
        assert folder.owner() == Owner(process.pid, "http://there:1")


def test_an_owner_that_was_killed_is_none(folder: DataFolder) -> None:
    with other_process_owning(folder.path) as process:
        process.kill()
        process.wait()

        assert folder.owner() is None
        assert folder.lost_its_owner
        folder.take()


def test_an_owner_that_has_written_nothing_yet_is_still_starting(folder: DataFolder) -> None:
    with other_process_owning(folder.path):
        (folder.path / "owner.json").write_text("{")

        assert folder.owner() == Owner(0, None)
        with pytest.raises(FolderTaken, match="by another process;"):
            folder.take()


def test_who_only_looks_for_an_owner_does_not_hinder_one(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "_PATIENCE_SECONDS", 20.0)
    folder.take()
    folder.release()
    program = "import fcntl, os, sys; lock = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(lock, fcntl.LOCK_SH); "
    program += "print('looking', flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", program, str(folder.path / "owner.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout is not None
        assert looking.stdout.readline() == "looking\n"
        monkeypatch.setattr("time.sleep", lambda _: looking.communicate("\n"))

        folder.take()

    assert folder.owner() is not None


def test_nobody_owns_a_folder_that_is_not_there(folder: DataFolder) -> None:
    assert folder.owner() is None
    assert not folder.path.exists()


@pytest.mark.parametrize("found", ["2", "99", "one", "", "\u0661x"])
def test_a_format_that_this_program_does_not_know_is_refused_and_left_alone(folder: DataFolder, found: str) -> None:
    folder.take()
    folder.release()
    (folder.path / "format").write_text(found)

    with pytest.raises(OtherFolderFormat, match="this program reads format 1"):
        folder.take()

    assert (folder.path / "format").read_text() == found
    assert folder.owner() is None


def test_an_older_format_is_migrated_step_by_step(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.take()
    folder.release()
    steps: list[tuple[int, str]] = []

    def note(number: int) -> None:
        steps.append((number, (folder.path / "format").read_text()))

    monkeypatch.setattr(data_folder, "FORMAT", FORMAT + 2)
    folder.take({1: lambda _: note(1), 2: lambda _: note(2)})

    assert steps == [(1, "1"), (2, "2")]
    assert (folder.path / "format").read_text() == "3"


def test_an_older_format_without_a_migration_is_refused(folder: DataFolder) -> None:
    folder.take()
    folder.release()
    (folder.path / "format").write_text("0")

    with pytest.raises(OtherFolderFormat, match="format '0'"):
        folder.take({})

    assert folder.owner() is None


def test_a_migration_that_fails_frees_the_folder_and_keeps_its_format(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.take()
    folder.release()
    monkeypatch.setattr(data_folder, "FORMAT", FORMAT + 1)

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(FolderUnusable, match="No space left on device"):
        folder.take({1: full})

    assert (folder.path / "format").read_text() == "1"
    assert folder.owner() is None


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.new").write_text("precious")

    with pytest.raises(NotADataFolder, match="set TWIN_DATA to a new or empty folder"):
        DataFolder(tmp_path).take()

    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.new"]


@pytest.mark.parametrize("left", [["owner.lock"], ["owner.lock", "owner.json.new"], ["owner.json", "format.new"]])
def test_a_folder_whose_making_was_killed_is_made_again(folder: DataFolder, left: list[str]) -> None:
    folder.path.mkdir(parents=True)
    for name in left:
        (folder.path / name).touch()

    folder.take()

    assert (folder.path / "format").read_text() == "1"
    assert folder.key


def test_a_file_in_the_folders_place_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    folder = DataFolder(tmp_path / "data")

    for use in (folder.take, folder.owner, lambda: folder.key):
        with pytest.raises(
            FolderUnusable,
            match="cannot be used: Not a directory; move the file that is in its place, or set TWIN_DATA",
        ):
            use()


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)

    with pytest.raises(
        FolderUnusable,
        match="cannot be used: Permission denied; run as the user whose it is, or give",
    ):
        folder.take()


def test_a_full_disk_frees_what_was_taken(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(FolderUnusable, match="No space left on device"):
            folder.take()

    assert folder.owner() is None
    folder.take()


def test_leaving_the_block_frees_the_folder(folder: DataFolder) -> None:
    with folder:
        inside = folder.owner()

    assert inside == Owner(os.getpid(), None)
    assert folder.owner() is None
    assert not folder.lost_its_owner
