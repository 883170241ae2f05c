"""What deploy/docker/secrets.sh leaves in the folder of docker-compose.yml's secrets."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from twin_cdc.settings import Settings as CdcSettings
from twin_cli.settings import Settings as TwinSettings
from twin_crawler.settings import Settings as CrawlerSettings
from twin_feature_stream.settings import Settings as FlowSettings
from twin_platform.settings import ServiceSettings, name_of
from twin_rag_api.settings import Settings as ApiSettings

SCRIPT = Path(__file__).parents[2] / "deploy/docker/secrets.sh"
ALL: tuple[type[ServiceSettings], ...] = (CdcSettings, FlowSettings, CrawlerSettings, ApiSettings, TwinSettings)
READ_BY_SERVERS = {
    "MONGODB_KEY",
    "MONGODB_ROOT_PASSWORD",
    "MONGODB_PASSWORD",
    "QDRANT_API_KEY",
    "GRAFANA_ADMIN_PASSWORD",
    "rabbitmq.conf",
    "qdrant.yaml",
}


def make(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", SCRIPT, folder], capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("ascii") for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    assert make(folder).returncode == 0
    return folder


@pytest.fixture
def secrets(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, and nothing else that says what to set."""
    for name in [name for name in os.environ if any(name == each for each in known())]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWIN_SECRETS", str(made))
    return made


def known() -> set[str]:
    return {name_of(settings, field) for settings in ALL for field in settings.model_fields}


def test_a_second_run_changes_nothing(made: Path) -> None:
    before = contents(made)

    assert make(made).returncode == 0

    assert contents(made) == before


def test_two_installations_share_no_secret(made: Path, tmp_path: Path) -> None:
    make(tmp_path)

    other = contents(tmp_path)

    assert other.keys() == contents(made).keys()
    assert not set(other.values()) & set(contents(made).values())


def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "MONGODB_PASSWORD").write_text("kept")
    (tmp_path / ".new").write_text("half a sec")

    assert make(tmp_path).returncode == 0

    found = contents(tmp_path)
    assert found["MONGODB_PASSWORD"] == "kept"  # noqa: S105 - a file that the test has written
    assert "mongodb://twin:kept@mongodb:27017," in found["CDC_DOCUMENTS_URL"]
    assert ".new" not in found


def test_a_servers_secret_is_its_groups_to_read_and_ours_nobody_elses(made: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in made.iterdir()}

    assert {name for name, mode in modes.items() if mode == 0o440} == READ_BY_SERVERS
    assert {mode for name, mode in modes.items() if name not in READ_BY_SERVERS} == {0o400}


def test_every_service_has_what_it_needs_of_the_folder(secrets: Path) -> None:
    cdc, flow, crawler, api, command = CdcSettings(), FlowSettings(), CrawlerSettings(), ApiSettings(), TwinSettings()

    found = contents(secrets)
    assert {cdc.documents_url, flow.documents_url, crawler.documents_url, api.documents_url} == {
        found["CDC_DOCUMENTS_URL"].strip()
    }
    assert cdc.log_url == flow.log_url == api.log_url
    assert flow.features_url == api.features_url
    assert command.twin_api_key == api.key


def test_each_file_is_a_setting_or_a_servers(made: Path) -> None:
    assert contents(made).keys() - READ_BY_SERVERS - known() == {"RABBITMQ_PASSWORD"}


def test_servers_and_services_are_told_the_same(made: Path) -> None:
    found = contents(made)

    broker = dict(line.split(" = ") for line in found["rabbitmq.conf"].splitlines())
    assert f"amqp://{broker['default_user']}:{broker['default_pass']}@rabbitmq:5672/%2F" == found["CDC_LOG_URL"].strip()
    key = yaml.safe_load(found["qdrant.yaml"])["service"]["api_key"]
    assert key == found["QDRANT_API_KEY"]
    assert found["RAG_API_FEATURES_URL"].strip() == f"http://:{key}@qdrant:6333"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    refused = make(tmp_path / "nowhere")

    assert refused.returncode == 1
    assert f"cannot write into {tmp_path / 'nowhere'}" in refused.stderr
