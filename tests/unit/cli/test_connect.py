"""A command speaks to TWIN_URL, to the data folder's owner, or to a system that it runs itself meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from fakes.clock import SettableClock
from fakes.flow import NoLogger
from twin_cli.connect import FIRST_GRACE_SECONDS, GRACE_SECONDS, Local, connected
from twin_cli.data_folder import DataFolder
from twin_cli.errors import KeyMissing, PortInUse
from twin_cli.settings import Settings


class Command:
    """One `twin` command's way to a system; `later` runs what happens while it waits."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path)
        self.clock = SettableClock()
        self.said: list[str] = []
        self.served: list[str] = []
        self.held = ExitStack()
        self.later: dict[float, Callable[[], None]] = {}
        self.locate = Local(self.folder, self._serve, self.held, self.said.append, self.clock, self._wait)

    @contextmanager
    def _serve(self, folder: DataFolder) -> Iterator[str]:
        assert folder.owner() is not None
        self.served.append("started")
        yield "http://mine:1"
        self.served.append("stopped")

    def _wait(self, seconds: float) -> None:
        self.clock.turn(timedelta(seconds=seconds))
        for due in [due for due in self.later if due <= self.clock.monotonic()]:
            self.later.pop(due)()


def kill(owner: DataFolder) -> None:
    """Free the folder without a word, as the end of a process does."""
    written = (owner.path / "owner.json").read_text()
    owner.release()
    (owner.path / "owner.json").write_text(written)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path / "data")
    yield command
    command.held.close()


@pytest.fixture
def owner(command: Command) -> Iterator[DataFolder]:
    with DataFolder(command.folder.path) as folder:
        yield folder


def test_where_nobody_serves_the_command_does_and_frees_the_folder_afterwards(command: Command) -> None:
    assert command.locate() == ("http://mine:1", command.folder.key)
    assert command.locate() == ("http://mine:1", command.folder.key)

    command.held.close()

    assert command.served == ["started", "stopped"]
    assert command.folder.owner() is None


def test_a_system_that_cannot_start_frees_the_folder(tmp_path: Path) -> None:
    def fail(_folder: DataFolder) -> ExitStack:
        raise PortInUse("127.0.0.1", 1, "taken", None)

    folder = DataFolder(tmp_path / "data")
    with pytest.raises(PortInUse), ExitStack() as held:
        Local(folder, fail, held, print)()  # type: ignore[arg-type]  # it yields nothing, it raises

    assert folder.owner() is None


def test_an_owner_that_listens_is_spoken_to(command: Command, owner: DataFolder) -> None:
    owner.announce("http://owner:1")

    assert command.locate() == ("http://owner:1", owner.key)
    assert command.served == []


def test_an_owner_that_starts_is_waited_for_and_told_about(command: Command, owner: DataFolder) -> None:
    command.later[100.0] = lambda: owner.announce("http://owner:1")

    assert command.locate() == ("http://owner:1", owner.key)

    assert len(command.said) == 1
    assert command.said[0].startswith("waiting for process ")


def test_an_owner_that_is_started_again_is_waited_for(command: Command, owner: DataFolder) -> None:
    owner.announce("http://owner:1")
    command.locate()
    owner.release()
    command.later[1.0] = owner.take
    command.later[2.0] = lambda: owner.announce("http://owner:2")

    assert command.locate() == ("http://owner:2", owner.key)
    assert command.said == []
    assert command.served == []


def test_a_command_whose_system_ended_goes_on_alone_after_a_grace(command: Command, owner: DataFolder) -> None:
    owner.announce("http://owner:1")
    command.locate()
    owner.release()

    assert command.locate() == ("http://mine:1", command.folder.key)

    assert command.clock.monotonic() >= GRACE_SECONDS
    assert command.said == [
        f"nobody serves {str(command.folder.path)!r} any more; going on alone if that stays so",
    ]


def test_a_folder_whose_owner_was_killed_is_left_for_a_moment_to_who_starts_it_again(
    command: Command, owner: DataFolder
) -> None:
    kill(owner)
    command.later[2.0] = owner.take
    command.later[3.0] = lambda: owner.announce("http://owner:2")

    assert command.locate() == ("http://owner:2", owner.key)
    assert command.served == []


def test_a_folder_whose_owner_was_killed_for_good_is_taken_soon(command: Command, owner: DataFolder) -> None:
    kill(owner)

    assert command.locate()[0] == "http://mine:1"
    assert FIRST_GRACE_SECONDS <= command.clock.monotonic() < FIRST_GRACE_SECONDS + 1


def test_two_that_find_nobody_become_one_owner_and_one_client(command: Command) -> None:
    faster = Command(command.folder.path)
    faster.locate()
    faster.folder.announce("http://faster:1")

    assert command.locate() == ("http://faster:1", faster.folder.key)
    faster.held.close()


def remote(tmp_path: Path, **values: object) -> Settings:
    return Settings.model_validate({"twin_data": tmp_path / "data", **values})


def test_a_given_url_is_spoken_to_and_no_folder_is_made(tmp_path: Path) -> None:
    settings = remote(tmp_path, twin_url="http://elsewhere:1/twin/", twin_api_key=SecretStr(" secret\n"))

    with connected(settings, NoLogger(), print) as client:
        address = client._locate()

    assert address == ("http://elsewhere:1/twin", "secret")
    assert not (tmp_path / "data").exists()


def test_a_url_without_a_key_is_one_clear_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyMissing, match="TWIN_API_KEY is not set; set it to a key of that system"),
        connected(remote(tmp_path, twin_url="http://elsewhere:1"), NoLogger(), print),
    ):
        pass
