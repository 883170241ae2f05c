"""What docker-compose.yml promises: each rule holds for the file, and is seen to fail for one that breaks it."""

import copy
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from twin_cdc.settings import Settings as CdcSettings
from twin_cli.settings import Settings as TwinSettings
from twin_crawler.settings import Settings as CrawlerSettings
from twin_feature_stream.settings import Settings as FlowSettings
from twin_platform.settings import ServiceSettings, name_of
from twin_rag_api.settings import Settings as ApiSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
VERSION = tomllib.loads((ROOT / "services/rag-api/pyproject.toml").read_text("utf-8"))["project"]["version"]

Service = dict[str, Any]
Compose = dict[str, Any]
Rule = Callable[[str, Service], bool]

ONCE = {"secrets", "replica-set", "replica-set-failover"}
PUBLISHED = {"rag-api", "prometheus", "grafana", "embedded"}
SETTINGS: dict[str, tuple[type[ServiceSettings], ...]] = {
    "crawler": (CrawlerSettings,),
    "cdc": (CdcSettings,),
    "feature-stream": (FlowSettings,),
    "feature-stream-2": (FlowSettings,),
    "rag-api": (ApiSettings, TwinSettings),
    "embedded": (TwinSettings,),
}
OFF = {
    "qdrant": {"QDRANT__TELEMETRY_DISABLED": "true"},
    "grafana": {
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
    },
}
"""What would call home."""


def ours(service: Service) -> bool:
    return str(service["image"]).startswith("llm-twin/")


def pinned(_: str, service: Service) -> bool:
    tag = str(service["image"]).partition(":")[2]
    return tag == VERSION if ours(service) else bool(re.fullmatch(r"v?\d+\.\d+\.\d+(-[a-z]+)?", tag))


def built_here(name: str, service: Service) -> bool:
    if not ours(service):
        return "build" not in service
    if service.get("pull_policy") != "never":
        return False
    build = dict(service.get("build") or {})
    known = re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE, re.MULTILINE)
    return (
        build.pop("target", None) in known
        and build == {"context": ".", "dockerfile": "deploy/docker/Dockerfile"}
        and str(service["image"]).partition(":")[0] == f"llm-twin/{name}"
    )


def is_checked(name: str, service: Service) -> bool:
    check = service.get("healthcheck")
    if name in ONCE:
        return check == {"disable": True}
    if check is None:
        return ours(service) and "entrypoint" not in service and "\nHEALTHCHECK" in DOCKERFILE
    return bool(check["test"]) and {"interval", "timeout", "retries"} <= check.keys()


def hides_secrets(_: str, service: Service) -> bool:
    for key, value in service.get("environment", {}).items():
        guarded = re.search(r"PASSWORD|PASS$|KEY|SECRET|TOKEN", key) and not key.endswith(("_FILE", "SECRETS"))
        if guarded and not re.fullmatch(r"\$\{[A-Z_]+:-\}", str(value)):
            return False
    return "@" not in str(service.get("environment")) + str(service.get("command"))


def mounts_only_the_repository(_: str, service: Service) -> bool:
    for volume in service.get("volumes", []):
        source, _, rest = str(volume).partition(":")
        if re.fullmatch(r"[a-z0-9-]+", source):
            continue
        inside = source.startswith("./") and ".." not in source and (ROOT / source).exists()
        if not inside or not rest.endswith(":ro"):
            return False
    return True


def waits_for_what_it_needs(name: str, service: Service) -> bool:
    needs = service.get("depends_on", {})
    right = all(
        need["condition"] == ("service_completed_successfully" if one in ONCE else "service_healthy")
        for one, need in needs.items()
    )
    mounted = any(str(volume).startswith("secrets:") for volume in service.get("volumes", []))
    first = name == "secrets" or not mounted or needs.keys() & {"secrets", "mongodb", "replica-set"}
    return right and bool(first)


def means_settings(name: str, service: Service) -> bool:
    if name not in SETTINGS:
        return True
    known = {name_of(each, field) for each in SETTINGS[name] for field in each.model_fields}
    return set(service["environment"]) <= known


RULES: dict[str, Rule] = {
    "runs as a user that is not root": lambda _, service: bool(re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])),
    "its image is pinned by a whole version": pinned,
    "is built of our Dockerfile, if it is ours, under its own name": built_here,
    "writes nowhere but where it is told": lambda _, service: service.get("read_only") is True,
    "has no rights of its own": lambda _, service: (
        service.get("cap_drop") == ["ALL"]
        and service.get("security_opt") == ["no-new-privileges:true"]
        and not service.keys() & {"cap_add", "privileged", "devices", "pid", "ipc", "userns_mode"}
    ),
    "is in no network of the host's": lambda _, service: service.get("network_mode", "none") == "none",
    "has limits": lambda _, service: {"mem_limit", "cpus"} <= service.keys(),
    "its log has an end": lambda _, service: (
        service.get("logging")
        == {
            "driver": "json-file",
            "options": {"max-size": "10m", "max-file": "3"},
        }
    ),
    "starts again, unless it runs once": lambda name, service: (
        service.get("restart") == ("no" if name in ONCE else "unless-stopped")
    ),
    "is asked how it is, unless it runs once": is_checked,
    "listens to this machine alone": lambda name, service: (
        (name in PUBLISHED) == bool(service.get("ports"))
        and all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    ),
    "holds no secret": hides_secrets,
    "sees no folder of the host's but the repository's, and only to read": mounts_only_the_repository,
    "waits for what it needs": waits_for_what_it_needs,
    "does not call home": lambda name, service: OFF.get(name, {}).items() <= service.get("environment", {}).items(),
    "what it is told are settings": means_settings,
    "every data folder of its image is a volume": lambda _, service: (
        not str(service["image"]).startswith("mongo:")
        or {"/data/db", "/data/configdb"} <= {folder for each in mounts(service) for folder in each.split(":")}
    ),
}


def mounts(service: Service) -> list[str]:
    return [str(each) for each in (*service.get("volumes", []), *service.get("tmpfs", []))]


def broken(compose: Compose) -> Iterator[tuple[str, str]]:
    """Yield (service, rule) for each rule that does not hold."""
    for name, service in compose["services"].items():
        yield from ((name, rule) for rule, holds in RULES.items() if not holds(name, service))


@pytest.fixture
def compose() -> Compose:
    return copy.deepcopy(COMPOSE)


COMPOSE: Compose = yaml.safe_load(TEXT)


@pytest.mark.parametrize("rule", RULES)
def test_every_service_keeps_the_rule(rule: str) -> None:
    assert [name for name, service in COMPOSE["services"].items() if not RULES[rule](name, service)] == []


@pytest.mark.parametrize(
    ("name", "changes", "rule"),
    [
        ("mongodb", {"user": "0:0"}, "runs as a user that is not root"),
        ("grafana", {"user": "472:0"}, "runs as a user that is not root"),
        ("qdrant", {"image": "qdrant/qdrant:latest"}, "its image is pinned by a whole version"),
        ("rabbitmq", {"image": "rabbitmq:4"}, "its image is pinned by a whole version"),
        ("secrets", {"image": "llm-twin/secrets:0.0.9"}, "its image is pinned by a whole version"),
        ("test-site", {"build": None}, "is built of our Dockerfile, if it is ours, under its own name"),
        ("secrets", {"image": f"llm-twin/crawler:{VERSION}"}, "is built of our Dockerfile"),
        ("crawler", {"pull_policy": None}, "is built of our Dockerfile"),
        ("cdc", {"read_only": False}, "writes nowhere but where it is told"),
        ("cdc", {"cap_drop": ["NET_RAW"]}, "has no rights of its own"),
        ("prometheus", {"privileged": True}, "has no rights of its own"),
        ("qdrant", {"security_opt": []}, "has no rights of its own"),
        ("rag-api", {"network_mode": "host"}, "is in no network of the host's"),
        ("test-site", {"logging": {"driver": "json-file"}}, "its log has an end"),
        ("secrets", {"restart": "unless-stopped"}, "starts again, unless it runs once"),
        ("cdc", {"restart": "no"}, "starts again, unless it runs once"),
        ("test-site", {"healthcheck": None}, "is asked how it is, unless it runs once"),
        ("mongodb-2", {"healthcheck": {"disable": True, "test": []}}, "is asked how it is, unless it runs once"),
        ("replica-set", {"healthcheck": None}, "is asked how it is, unless it runs once"),
        ("rag-api", {"ports": ["8787:8787"]}, "listens to this machine alone"),
        ("mongodb", {"ports": ["127.0.0.1:27017:27017"]}, "listens to this machine alone"),
        ("rabbitmq", {"environment": {"RABBITMQ_DEFAULT_PASS": "twin"}}, "holds no secret"),
        ("cdc", {"command": ["--log", "amqp://twin:twin@rabbitmq"]}, "holds no secret"),
        ("rag-api", {"environment": {"LLM_API_KEY": "${LLM_API_KEY:-sk-1}"}}, "holds no secret"),
        ("crawler", {"volumes": ["/var/run/docker.sock:/docker.sock:ro"]}, "sees no folder of the host's"),
        ("test-site", {"volumes": ["./tests/site:/site"]}, "sees no folder of the host's"),
        ("test-site", {"volumes": ["./../site:/site:ro"]}, "sees no folder of the host's"),
        ("cdc", {"depends_on": {"rabbitmq": {"condition": "service_started"}}}, "waits for what it needs"),
        ("qdrant", {"depends_on": {}}, "waits for what it needs"),
        ("qdrant", {"environment": {}}, "does not call home"),
        ("grafana", {"environment": {"GF_ANALYTICS_REPORTING_ENABLED": "true"}}, "does not call home"),
        ("cdc", {"environment": {"CDC_PROT": "8789"}}, "what it is told are settings"),
        ("replica-set", {"tmpfs": []}, "every data folder of its image is a volume"),
    ],
)
def test_what_breaks_a_rule_is_seen(compose: Compose, name: str, changes: Service, rule: str) -> None:
    service = compose["services"][name]
    service.update(changes)
    for key in [key for key, value in service.items() if value is None]:
        del service[key]

    found = [(one, each) for one, each in broken(compose) if each.startswith(rule)]

    assert [one for one, _ in found] == [name]


@pytest.mark.parametrize("limit", ["mem_limit", "cpus"])
def test_a_service_without_a_limit_is_seen(compose: Compose, limit: str) -> None:
    del compose["services"]["crawler"][limit]

    assert list(broken(compose)) == [("crawler", "has limits")]


def test_every_volume_is_named_once_and_used() -> None:
    used = {
        str(volume).partition(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
        if not str(volume).startswith(".")
    }

    assert used == COMPOSE["volumes"].keys()


def test_two_flows_share_all_partitions_between_them() -> None:
    flows = [COMPOSE["services"][name]["environment"] for name in ("feature-stream", "feature-stream-2")]

    assert [(flow["FLOW_INDEX"], flow["FLOW_COUNT"]) for flow in flows] == [("0", "${FLOW_COUNT:-1}"), ("1", "2")]
    assert flows[0].keys() == flows[1].keys()


def test_the_oplog_is_kept_for_two_days() -> None:
    for name in ("mongodb", "mongodb-2", "mongodb-3"):
        assert "--oplogMinRetentionHours 48" in COMPOSE["services"][name]["command"][2]


def test_the_broker_is_set_up_as_delivery_wants_it() -> None:
    lines = (ROOT / "deploy/docker/rabbitmq.conf").read_text("utf-8").splitlines()
    configured = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))

    assert int(configured["consumer_timeout"]) == 3 * 3600 * 1000
    assert int(configured["max_message_size"]) == 16 * 1024 * 1024
    mebibytes = int(configured["vm_memory_high_watermark.absolute"].removesuffix("MiB"))
    assert mebibytes <= 0.7 * 1024 == 0.7 * {"1g": 1024}[COMPOSE["services"]["rabbitmq"]["mem_limit"]]


def test_make_ends_every_profile() -> None:
    profiles = {profile for service in COMPOSE["services"].values() for profile in service.get("profiles", [])}
    made = re.search(r"^profiles := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    assert made is not None
    assert set(made.group(1).split(",")) == profiles
