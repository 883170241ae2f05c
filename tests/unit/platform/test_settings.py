"""A mistake in the settings is told by its name as it is written, with the value and what to do."""

import os
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from twin_cdc.settings import Settings as CdcSettings
from twin_cli.settings import Settings as TwinSettings
from twin_crawler.settings import Settings as CrawlerSettings
from twin_feature_stream.settings import Settings as FlowSettings
from twin_platform.settings import ServiceSettings, SettingsInvalid, name_of
from twin_rag_api.settings import Settings as ApiSettings

ALL: list[type[ServiceSettings]] = [TwinSettings, CdcSettings, FlowSettings, CrawlerSettings, ApiSettings]
ENDS = "; .env.example says what can be set"


@pytest.fixture(autouse=True)
def _nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(
            ("TWIN_", "RAG_API_", "LLM_", "EMBEDDING_", "CRAWLER_", "CDC_", "FLOW_", "FEATURE_STREAM_", "LOG_")
        ):
            monkeypatch.delenv(name)


def faults_of(settings: type[ServiceSettings]) -> tuple[str, ...]:
    try:
        settings()
    except SettingsInvalid as error:
        return error.faults
    return ()


def fault_of(settings: type[ServiceSettings]) -> str:
    with pytest.raises(SettingsInvalid) as refused:
        settings()
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(ENDS)
    return str(refused.value).removesuffix(ENDS)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("TWIN_DTA", "TWIN_DATA"),
        ("TWINDATA", "TWIN_DATA"),
        ("TWIN_API_KEYS", "TWIN_API_KEY"),
        ("twin_onwer", "TWIN_OWNER"),
        ("RAG_API_PROT", "RAG_API_PORT"),
        ("RAGAPI_HOST", "RAG_API_HOST"),
        ("CRAWLER_ALLOWED_HOSTS", "CRAWLER_ALLOW_HOSTS"),
        ("EMBEDDING_CHACHE", "EMBEDDING_CACHE"),
        ("EMBEDING_MODEL", "EMBEDDING_MODEL"),
        ("LLM_URI", "LLM_URL"),
        ("LLM_APIKEY", "LLM_API_KEY"),
        ("LLM_CONTXT", "LLM_CONTEXT"),
    ],
)
def test_a_misspelt_setting_is_told_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.setenv(given, "x")

    said = fault_of(TwinSettings)

    assert said == f"{given.upper()} in the environment is no setting, {meant} is; rename it, or unset it"


def test_a_misspelt_setting_in_the_file_is_told_as_one_of_the_file() -> None:
    Path(".env").write_text("CDC_DOCUMENT_URL=sqlite://a\nCDC_RECORDS_URL=sqlite://b\nCDC_LOG_URL=sqlite://c\n")

    with pytest.raises(SettingsInvalid) as refused:
        CdcSettings()

    assert refused.value.faults == (
        "CDC_DOCUMENT_URL in .env is no setting, CDC_DOCUMENTS_URL is; rename it, or unset it",
        "CDC_DOCUMENTS_URL is not set; set it in the environment or in .env",
    )


def test_what_begins_as_ours_and_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_COLOUR", "red")

    assert fault_of(TwinSettings) == "TWIN_COLOUR in the environment is no setting; unset it"


@pytest.mark.parametrize("settings", ALL)
def test_other_programs_settings_are_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, settings: type[ServiceSettings]
) -> None:
    strangers = [
        "DATABASE_URL",
        "LLM_USER_PATH",
        "EMBEDDING_MODEL_NAME",
        "OPENAI_API_KEY",
        "TWIN_TEST_ARTICLES",
        "PORT",
    ]
    strangers += ["RAG_API_SERVICE_HOST", "CRAWLER_PORT_8788_TCP", "CDC_SERVICE_PORT", "OLLAMA_HOST"]  # Kubernetes' too
    for name in strangers:
        monkeypatch.setenv(name, "x")

    assert all("is not set" in fault for fault in faults_of(settings))


@pytest.mark.parametrize("settings", ALL)
def test_one_file_may_hold_the_settings_of_every_service(settings: type[ServiceSettings]) -> None:
    names = {name_of(each, field) for each in ALL for field in each.model_fields}
    Path(".env").write_text("".join(f"{name}=1\n" for name in sorted(names)))

    assert not any("is no setting" in fault for fault in faults_of(settings))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LLM_URL", "localhost:11434/v1", "it does not begin with http:// or https://; did you mean 'http://{value}'?"),
        ("LLM_URL", "127.0.0.1:8000", "it does not begin with http:// or https://; did you mean 'http://{value}'?"),
        ("TWIN_URL", "my-server", "it does not begin with http:// or https://; did you mean 'http://{value}'?"),
        ("LLM_URL", "ftp://x", "URL scheme should be 'http' or 'https'"),
        ("RAG_API_PORT", "http", "Input should be a valid integer, unable to parse string as an integer"),
        ("LLM_CONTEXT", "10", "Input should be greater than or equal to 500"),
        ("EMBEDDING_MODEL", "bert", "Input should be 'minilm' or 'hashing'"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    assert fault_of(TwinSettings) == f"{name}: {said.format(value=value)}, got {value!r}"


def test_an_api_alone_refuses_vectors_in_a_folder_and_a_short_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for store in ("DOCUMENTS", "RECORDS", "LOG"):
        monkeypatch.setenv(f"RAG_API_{store}_URL", "sqlite://x")
    monkeypatch.setenv("RAG_API_FEATURES_URL", "edge:///vectors")
    monkeypatch.setenv("RAG_API_KEY", "short")

    vectors, key = faults_of(ApiSettings)

    assert "RAG_API_FEATURES_URL: vectors in a folder are one process's alone, and a flow has them open" in vectors
    assert "name a Qdrant server (http://host:6333) here and in FEATURE_STREAM_FEATURES_URL" in vectors
    assert key == "RAG_API_KEY: Value should have at least 16 items after validation, not 5"


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Guarded(ServiceSettings):
        guard_key: SecretStr | None = Field(default=None, min_length=16)

    monkeypatch.setenv("GUARD_KEY", "hush")

    said = fault_of(Guarded)

    assert said.startswith("GUARD_KEY: ")
    assert "hush" not in said


@pytest.mark.parametrize("name", ["TWIN_API_KEY", "LLM_API_KEY"])
@pytest.mark.parametrize("key", ["two words", "schlüssel", "line\nend", "\x1b[31m"])
def test_a_key_that_no_request_can_carry_is_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    monkeypatch.setenv(name, key)

    assert fault_of(TwinSettings) == (
        f"{name}: it holds a blank, a line's end or a letter beyond ASCII, which no key has; copy it again"
    )


def test_white_space_around_a_key_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_API_KEY", " secret\n")

    key = TwinSettings().twin_api_key

    assert key is not None
    assert key.get_secret_value() == "secret"


def test_settings_that_do_not_fit_each_other_are_told_by_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCUMENTS", "RECORDS", "LOG", "FEATURES"):
        monkeypatch.setenv(f"FEATURE_STREAM_{name}_URL", "x://y")
    monkeypatch.setenv("FLOW_INDEX", "3")

    assert fault_of(FlowSettings) == "FLOW_INDEX 3 is none of FLOW_COUNT 1 flows, counted from 0"


def test_no_more_flows_than_partitions_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCUMENTS", "RECORDS", "LOG", "FEATURES"):
        monkeypatch.setenv(f"FEATURE_STREAM_{name}_URL", "x://y")
    monkeypatch.setenv("FLOW_COUNT", "9")
    refused = fault_of(FlowSettings)

    monkeypatch.setenv("LOG_PARTITIONS", "16")

    assert refused.startswith("FLOW_COUNT 9 is more than LOG_PARTITIONS 8: a flow would have nothing to read")
    assert faults_of(FlowSettings) == ()


def test_a_file_that_is_no_text_is_told() -> None:
    Path(".env").write_bytes("TWIN_OWNER=Zoë\n".encode("latin-1"))

    said = fault_of(TwinSettings)

    assert said.startswith(".env cannot be read: 'utf-8' codec can't decode byte 0xeb in position 13")
    assert said.endswith("; save it as UTF-8 text that this user may read, or move it away")


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("TWIN_SECRETS", str(folder))
    for name in ("DOCUMENTS", "RECORDS", "LOG"):
        (folder / f"CDC_{name}_URL").write_text(f"sqlite://{name}\n")
    return folder


def test_a_file_of_the_secrets_folder_is_a_setting(secrets: Path) -> None:
    settings = CdcSettings()

    assert (settings.documents_url, settings.log_url) == ("sqlite://DOCUMENTS", "sqlite://LOG")
    assert settings.twin_secrets == secrets


def test_the_file_named_dotenv_may_name_the_secrets_folder(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWIN_SECRETS")
    Path(".env").write_text(f"TWIN_SECRETS={secrets}\n")

    assert CdcSettings().log_url == "sqlite://LOG"


@pytest.mark.usefixtures("secrets")
def test_the_environment_and_dotenv_go_before_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDC_LOG_URL", "sqlite://environment")
    monkeypatch.setenv("CDC_RECORDS_URL", "")
    Path(".env").write_text("CDC_DOCUMENTS_URL=sqlite://dotenv\n")

    settings = CdcSettings()

    assert (settings.documents_url, settings.records_url, settings.log_url) == (
        "sqlite://dotenv",
        "sqlite://RECORDS",
        "sqlite://environment",
    )


def test_an_empty_secret_is_as_if_it_were_not_there_and_its_place_is_told(secrets: Path) -> None:
    (secrets / "CDC_LOG_URL").write_text("\n")

    assert fault_of(CdcSettings) == (
        f"CDC_LOG_URL is not set; set it in the environment or in .env, or write it into {secrets / 'CDC_LOG_URL'}"
    )


def test_a_secrets_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_SECRETS", "/nowhere")

    assert fault_of(CdcSettings) == (
        "TWIN_SECRETS: there is no folder '/nowhere'; name the one that the secrets are in, or unset it"
    )


def test_a_secret_that_cannot_be_read_is_told_by_its_name(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)

    assert fault_of(CdcSettings) == (
        f"CDC_DOCUMENTS_URL in TWIN_SECRETS={secrets} cannot be read: "
        f"[Errno 13] Permission denied: '{secrets / 'CDC_DOCUMENTS_URL'}'; let this user read it"
    )


@pytest.mark.usefixtures("secrets")
def test_a_service_does_not_mind_what_the_command_is_set_to_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_URL", "http://127.0.0.1:8787")
    monkeypatch.setenv("TWIN_DATA", "/data")

    assert faults_of(CdcSettings) == ()


def test_the_command_finds_its_key_beside_the_services_secrets(secrets: Path) -> None:
    (secrets / "TWIN_API_KEY").write_text("a-key-of-the-installation")

    key = TwinSettings().twin_api_key

    assert key is not None
    assert key.get_secret_value() == "a-key-of-the-installation"
