"""docker-compose.yml as Compose reads it, and the broker's configuration as a broker does."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
import pytest
import yaml

from benchmarks.broker import NONE, Broker, program

ROOT = Path(__file__).parents[2]
PROFILES = ("failover", "flows", "observability", "embedded", "test-site")
DEFAULT = {"secrets", "mongodb", "replica-set", "rabbitmq", "qdrant", "crawler", "cdc", "feature-stream", "rag-api"}


def generations() -> list[list[str]]:
    """Return both generations of Compose, or the one that is there."""
    both = (["docker", "compose"], ["docker-compose"])
    return [each for each in both if shutil.which(each[0]) and ran([*each, "version"]).returncode == 0]


def ran(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


def read(**environment: str) -> Iterator[dict[str, Any]]:
    """Yield what each generation makes of the file; skips where there is none."""
    found = generations()
    if not found:
        pytest.skip("no Compose: install docker-compose, or docker and its plugin")
    for command in found:
        done = ran([*command, "config"], **environment)
        assert done.returncode == 0, done.stderr
        yield yaml.safe_load(done.stdout)["services"]


@pytest.mark.parametrize("profile", ["", *PROFILES, ",".join(PROFILES)], ids=["none", *PROFILES, "all"])
def test_compose_reads_the_file_with_every_profile(profile: str) -> None:
    for services in read(COMPOSE_PROFILES=profile):
        assert services.keys() >= DEFAULT
        assert services["feature-stream"]["environment"]["FLOW_COUNT"] == "1"


def test_who_starts_it_says_which_model_and_how_many_flows() -> None:
    for services in read(LLM_URL="http://host.docker.internal:11434/v1", FLOW_COUNT="2", RAG_API_PORT="9000"):
        assert services["rag-api"]["environment"]["LLM_URL"] == "http://host.docker.internal:11434/v1"
        assert services["feature-stream"]["environment"]["FLOW_COUNT"] == "2"
        assert "9000" in json.dumps(services["rag-api"]["ports"])


def test_the_script_runs_what_is_there() -> None:
    if not generations():
        pytest.skip("no Compose: install docker-compose, or docker and its plugin")

    assert "ompose version" in ran(["scripts/compose", "version"]).stdout


def test_the_script_says_what_to_install_where_there_is_none(tmp_path: Path) -> None:
    for tool in ("dirname", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)

    refused = ran(["scripts/compose", "up"], PATH=str(tmp_path))

    assert refused.returncode == 1
    assert refused.stderr.startswith("compose: needs Docker with Compose: https://")


@dataclass
class ComposesBroker(Broker):
    """A broker that reads what the compose file mounts: our configuration, and the user from the secrets' folder."""

    secrets: Path = Path()

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            "RABBITMQ_CONFIG_FILE": str(ROOT / "deploy/docker/rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.secrets / "rabbitmq*.conf"),
        }

    def url(self, vhost: str = "/", **_: object) -> str:
        made = (self.secrets / "CDC_LOG_URL").read_text("ascii").strip()
        assert made.endswith("%2F"), vhost
        return made.replace("@rabbitmq:5672", f"@localhost:{self.port}")


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if program() is None:
        pytest.skip(NONE)
    secrets = tmp_path_factory.mktemp("secrets")
    subprocess.run(["sh", ROOT / "deploy/docker/secrets.sh", secrets], check=True)
    with ComposesBroker(tmp_path_factory.mktemp("broker"), secrets=secrets) as started:
        yield started


def test_a_broker_takes_our_configuration_and_lets_our_user_in(configured: Broker) -> None:
    with pika.BlockingConnection(pika.URLParameters(configured.url())) as connection:
        connection.channel().queue_declare("ours", durable=True, arguments={"x-queue-type": "quorum"})

    told = configured.control("environment")

    for setting in ("{consumer_timeout,10800000}", "{vm_memory_high_watermark,{absolute,671088640}}"):
        assert setting in "".join(told.split()).replace('"640MiB"', "671088640")
    assert configured.control("list_users", "--no-table-headers").split()[0] == "twin"
