"""Where `make up-processes` runs: what lasts there, what each process is told, and one log of them all."""

import socket
from pathlib import Path

import pytest

from benchmarks.merged_log import MergedLog
from benchmarks.place import Place, Trouble, with_dotenv


def test_a_place_keeps_its_key_for_its_owner_alone_and_its_ports(tmp_path: Path) -> None:
    place = Place.of({"FOLDER": str(tmp_path)})
    key, ports = place.key(), place.store_ports()

    again = Place.of({"FOLDER": str(tmp_path)})

    assert (again.key(), again.store_ports()) == (key, ports)
    assert len(key) >= 16
    assert place.key_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("flows", ["0", "9", "many"])
def test_a_wrong_number_of_flows_is_told(tmp_path: Path, flows: str) -> None:
    with pytest.raises(Trouble, match=f"FLOWS is '{flows}'; set it to a number from 1 to LOG_PARTITIONS, which is '8'"):
        Place.of({"FOLDER": str(tmp_path), "FLOWS": flows})


def test_what_the_environment_does_not_say_is_read_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("RAG_API_PORT=9000\nFLOWS=3\nFOLDER=elsewhere\nLLM_URL=\n")

    told = with_dotenv({"FLOWS": "", "FOLDER": str(tmp_path)})

    assert told == {"RAG_API_PORT": "9000", "FLOWS": "3", "FOLDER": str(tmp_path)}


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Trouble, match="set FOLDER to another one"):
        Place.of({"FOLDER": str(tmp_path / "file")})


def test_a_taken_port_is_told_by_the_setting_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place = Place.of({"FOLDER": str(tmp_path), "RAG_API_PORT": str(port)})

        with pytest.raises(Trouble, match=f"port {port} is taken .* or set RAG_API_PORT to another one"):
            place.refuse_taken_ports()


def test_every_process_is_told_the_same_stores(tmp_path: Path) -> None:
    given = {
        "FOLDER": str(tmp_path),
        "QDRANT_URL": "https://:key@vectors:6333",
        "MONGODB_URL": "mongodb://a,b/?tls=true",
    }
    place = Place.of(given)

    told = place.environment(place.urls("amqp://log"))

    prefixes = ("CDC", "FEATURE_STREAM", "RAG_API")
    assert {told[f"{prefix}_LOG_URL"] for prefix in prefixes} == {"amqp://log"}
    assert {told[f"{prefix}_DOCUMENTS_URL"] for prefix in (*prefixes, "CRAWLER")} == {"mongodb://a,b/twin?tls=true"}
    assert told["CRAWLER_RECORDS_URL"] == "mongodb://a,b/twin-records?tls=true"
    assert told["RAG_API_FEATURES_URL"] == told["FEATURE_STREAM_FEATURES_URL"] == "https://:key@vectors:6333"
    assert told["RAG_API_KEY"] == place.key()


@pytest.mark.parametrize(
    ("url", "source"),
    [("mongodb://me:pw@host/", "admin"), ("mongodb://me:pw@host/mine", "mine")],
)
def test_a_mongodb_user_is_looked_for_where_the_url_says_it_is(tmp_path: Path, url: str, source: str) -> None:
    urls = Place.of({"FOLDER": str(tmp_path), "MONGODB_URL": url}).urls("amqp://log")

    assert urls["documents"].endswith(f"?authSource={source}")
    assert urls["records"].endswith(f"-records?authSource={source}")


def test_lines_of_several_logs_come_whole_and_with_who_says_them(tmp_path: Path) -> None:
    logs = {"cdc": tmp_path / "cdc.log", "flow": tmp_path / "flow.log"}
    logs["cdc"].write_text("from before\n")
    heard: list[str] = []
    merged = MergedLog(lambda: logs, heard.append)

    with logs["cdc"].open("a") as cdc:
        cdc.write("one\nhal")
        cdc.flush()
        merged.look()
        first = list(heard)
        cdc.write("f\n")
    logs["flow"].write_text("begins\n")
    merged.look()

    assert first == ["cdc        one"]
    assert heard == ["cdc        one", "cdc        half", "flow       begins"]
