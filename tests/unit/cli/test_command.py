"""The command line: settings, mistakes as one sentence, and a parent that starts its child again."""

import subprocess
import sys
from pathlib import Path

import pytest

from fakes.flow import NoLogger
from twin_cli import __main__ as command
from twin_cli import up
from twin_cli.data_folder import DataFolder
from twin_cli.settings import Settings
from twin_cli.terminal import TerminalLogger
from twin_platform.records.open import open_record_store
from twin_platform.records.reemissions import open_reemissions

NAMES = ("TWIN_DATA", "TWIN_URL", "TWIN_API_KEY", "TWIN_OWNER", "RAG_API_HOST", "RAG_API_PORT", "EMBEDDING_PATH")


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TWIN_DATA", "data")


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["twin", *words])
    with pytest.raises(SystemExit) as end:
        command.main()
    output = capsys.readouterr()
    return int(end.value.code or 0), output.out, output.err


class TestSettings:
    def test_a_path_may_begin_with_the_home_folder_even_in_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TWIN_DATA")
        monkeypatch.setenv("HOME", "/home/ada")
        Path(".env").write_text("EMBEDDING_PATH=~/models\n")

        settings = Settings()

        assert settings.twin_data == Path("/home/ada/.llm-twin")
        assert settings.embedding_path == Path("/home/ada/models")

    def test_an_empty_setting_is_as_if_it_were_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in NAMES:
            monkeypatch.setenv(name, "")

        settings = Settings()

        assert settings.twin_url is None
        assert settings.twin_api_key is None
        assert settings.rag_api_port == 8787
        assert settings.twin_data == Path("~/.llm-twin").expanduser()

    def test_the_environment_wins_over_the_file_and_strangers_are_ignored(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path(".env").write_text("RAG_API_PORT=1000\nRAG_API_HOST=::1\nDATABASE_URL=x\n")
        monkeypatch.setenv("RAG_API_PORT", "2000")

        settings = Settings()

        assert (settings.rag_api_port, settings.rag_api_host) == (2000, "::1")

    def test_a_user_without_a_name_owns_the_texts_all_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def nobody() -> str:
            raise KeyError("getpwuid(): uid not found: 4711")

        monkeypatch.setattr("getpass.getuser", nobody)

        assert Settings().twin_owner == "Owner"

    def test_the_key_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TWIN_API_KEY", "hush-hush")

        assert "hush-hush" not in repr(Settings())


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("RAG_API_PORT", "abc", "RAG_API_PORT: Input should be a valid integer"),
            ("RAG_API_PORT", "65536", "RAG_API_PORT: Input should be less than or equal to 65535, got '65536'"),
            ("TWIN_URL", "localhost:8787", "TWIN_URL: "),
            (
                "TWIN_DATA",
                "~nobody-of-this-name/x",
                "TWIN_DATA: Could not determine home directory. Write the whole path, got ",
            ),
        ],
    )
    @pytest.mark.parametrize("words", [["status"], ["up"], ["up", "--child"]])
    def test_a_setting_is_named_in_one_line(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        words: list[str],
        name: str,
        value: str,
        message: str,
    ) -> None:
        monkeypatch.setenv(name, value)

        status, out, err = run(monkeypatch, capsys, *words)

        assert (status, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(message)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["import", "missing"], "'missing' cannot be imported: No such file or directory\n"),
            (["import", "."], "'.' cannot be imported: no Markdown, HTML or text file is in it\n"),
            (["resync"], "there is no system in '{data}' yet; `twin up` makes one\n"),
        ],
    )
    def test_what_cannot_be_done_is_one_sentence(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        words: list[str],
        message: str,
    ) -> None:
        status, out, err = run(monkeypatch, capsys, *words)

        assert (status, out, err) == (1, "", message.replace("{data}", str(Path("data").absolute())))
        assert not Path("data").exists()

    def test_a_url_without_a_key_is_one_sentence(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("TWIN_URL", "http://127.0.0.1:1")

        status, _, err = run(monkeypatch, capsys, "status")

        assert status == 1
        assert err == "TWIN_URL is 'http://127.0.0.1:1', but TWIN_API_KEY is not set; set it to a key of that system\n"


class TestResync:
    def test_it_asks_for_everything_where_nobody_serves(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with DataFolder(Path("data").absolute()):
            pass

        status, out, _ = run(monkeypatch, capsys, "resync")

        assert (status, out) == (0, "asked for; it begins with the next `twin up`\n")
        with open_record_store(f"sqlite://{Path('data').absolute()}/records.db") as records:
            (request,) = open_reemissions(records)
        assert request.ids is None

    def test_a_folder_of_a_newer_program_is_not_touched(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with DataFolder(Path("data").absolute()):
            pass
        Path("data/format").write_text("99")

        status, _, err = run(monkeypatch, capsys, "resync")

        assert status == 1
        assert "has format '99'" in err
        assert not Path("data/records.db").exists()


class TestParent:
    @pytest.fixture
    def statuses(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        statuses: list[int] = []
        monkeypatch.setattr(up, "_run_child_process", lambda: statuses.pop(0))
        monkeypatch.setattr(up, "_on_signals", lambda _handler: None)
        return statuses

    @pytest.fixture
    def slept(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        slept: list[float] = []
        monkeypatch.setattr("time.sleep", slept.append)
        return slept

    def test_a_child_that_dies_is_started_again_later_each_time(self, statuses: list[int], slept: list[float]) -> None:
        statuses += [-9, 1, -11, 0]

        assert up.run_parent(NoLogger()) == 0
        assert slept == [0.2, 0.4, 0.8]

    def test_a_first_child_that_refuses_is_not_started_again(self, statuses: list[int], slept: list[float]) -> None:
        statuses += [up.REFUSED]

        assert up.run_parent(NoLogger()) == up.REFUSED
        assert slept == []

    def test_a_later_child_that_finds_the_folder_taken_for_a_moment_is(
        self, statuses: list[int], slept: list[float]
    ) -> None:
        statuses += [-9, up.REFUSED, up.REFUSED, 0]

        assert up.run_parent(NoLogger()) == 0
        assert slept == [0.2, 0.4, 0.8]

    def test_after_a_good_minute_the_wait_is_short_again(
        self, statuses: list[int], slept: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        statuses += [-9, -9, -9, 0]
        times = iter([0.0, 1.0, 2.0, 3.0, 4.0, 4.0 + 2 * up.LASTED_SECONDS, 200.0, 201.0])
        monkeypatch.setattr("time.monotonic", lambda: next(times))

        up.run_parent(NoLogger())

        assert slept == [0.2, 0.4, 0.2]


def test_a_terminal_gets_lines_to_read(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalLogger().event("flow", state="degraded", detail=None)

    assert capsys.readouterr().err[8:] == "  flow  state=degraded\n"


def test_a_light_command_imports_nothing_heavy() -> None:
    heavy = {"bytewax", "onnxruntime", "unstructured", "fastapi", "uvicorn", "qdrant_edge", "tokenizers", "numpy"}
    program = "import sys, twin_cli.__main__; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert heavy & set(loaded.split()) == set()
