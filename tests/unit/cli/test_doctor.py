"""`twin doctor` names what is missing and how to get it."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import AnyHttpUrl, SecretStr
from typer.testing import CliRunner

from twin_cli.__main__ import app
from twin_cli.data_folder import DataFolder
from twin_cli.doctor import Finding, examine
from twin_cli.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine where nothing was set up yet."""
    return Settings(
        _env_file=None, twin_data=tmp_path / "data", embedding_cache=tmp_path / "models", rag_api_port=0, llm_url=None
    )


def found(settings: Settings, what: str, **changed: object) -> Finding:
    return next(one for one in examine(settings.model_copy(update=changed)) if one.what == what)


@contextmanager
def server(status: int) -> Iterator[AnyHttpUrl]:
    """A server on this machine that answers everything with one status."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield AnyHttpUrl(f"http://127.0.0.1:{listening.server_port}")
        finally:
            listening.shutdown()
            thread.join()


def nobody() -> AnyHttpUrl:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return AnyHttpUrl(f"http://127.0.0.1:{free.getsockname()[1]}")


def test_a_new_machine_lacks_nothing_that_the_first_start_does_not_fetch(settings: Settings) -> None:
    states = {one.what: one.state for one in examine(settings)}

    assert "missing" not in states.values()
    assert states["embedding model"] == "optional"
    assert states["data folder"] == "ok"


def test_a_folder_of_something_else_is_no_data_folder(settings: Settings) -> None:
    settings.twin_data.mkdir()
    (settings.twin_data / "thesis.txt").write_text("mine")

    finding = found(settings, "data folder")

    assert finding.state == "missing"
    assert "set TWIN_DATA" in finding.told


def test_a_data_folder_of_a_newer_program_is_named(settings: Settings) -> None:
    with DataFolder(settings.twin_data):
        pass
    (settings.twin_data / "format").write_text("999")

    assert "'999'" in found(settings, "data folder").told


def test_whoever_serves_the_data_folder_is_named_and_its_port_is_no_trouble(settings: Settings) -> None:
    with DataFolder(settings.twin_data) as folder:
        folder.announce("http://127.0.0.1:5")

        assert "http://127.0.0.1:5" in found(settings, "data folder").told
        assert found(settings, "port").state == "ok"


def test_a_port_that_is_taken_is_named_with_its_setting(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = found(settings, "port", rag_api_port=taken.getsockname()[1])

    assert finding.state == "missing"
    assert "RAG_API_PORT" in finding.told


def test_a_configured_model_folder_without_a_model_is_missing(settings: Settings, tmp_path: Path) -> None:
    finding = found(settings, "embedding model", embedding_path=tmp_path)

    assert finding.state == "missing"
    assert "model.onnx" in finding.told


def test_without_git_the_line_says_how_to_get_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    finding = found(settings, "git")

    assert finding.state == "optional"
    assert "apt-get install git" in finding.told


def test_a_configured_language_model_that_does_not_answer_is_missing(settings: Settings) -> None:
    finding = found(settings, "language model", llm_url=nobody())

    assert finding.state == "missing"
    assert "LLM_URL" in finding.told


@pytest.mark.parametrize(
    ("status", "key", "state", "told"),
    [
        (200, "a key", "ok", "takes the key"),
        (200, None, "missing", "TWIN_API_KEY is not set"),
        (401, "a key", "missing", "refuses TWIN_API_KEY"),
        (500, "a key", "missing", "answers 500"),
    ],
)
def test_a_remote_system_is_asked_with_its_key(
    settings: Settings, status: int, key: str | None, state: str, told: str
) -> None:
    with server(status) as url:
        finding = found(settings, "TWIN_URL", twin_url=url, twin_api_key=SecretStr(key) if key else None)

    assert finding.state == state
    assert told in finding.told


def test_a_remote_system_that_is_not_there_is_missing(settings: Settings) -> None:
    finding = found(settings, "TWIN_URL", twin_url=nobody(), twin_api_key=SecretStr("a key"))

    assert finding.state == "missing"
    assert "does not answer" in finding.told


@pytest.mark.parametrize(("port_is_taken", "status"), [(False, 0), (True, 1)])
def test_the_exit_status_says_whether_something_needed_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, port_is_taken: bool, status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if port_is_taken else 0
        environment = {"TWIN_DATA": "data", "EMBEDDING_CACHE": "models", "RAG_API_PORT": str(port)}

        result = CliRunner().invoke(app, ["doctor"], env={**environment, "TWIN_URL": "", "LLM_URL": ""})

    assert result.exit_code == status, result.output
    assert ("missing   port" in result.output) is port_is_taken
