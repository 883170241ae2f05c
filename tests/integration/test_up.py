"""`make up` against an engine that is a script: what it waits for, what it says of what fails, and where it all is."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = """#!/bin/sh
# Answers as `docker` does; each look at the containers is the next file of looks/, the last one again and again.
cd "$(dirname "$0")"
echo "$@ FLOW_COUNT=${FLOW_COUNT:-} COMPOSE_PROFILES=${COMPOSE_PROFILES:-}" >> calls
case "$1 ${2:-}" in
"compose version" | "info ") ;;
"compose ps") echo one two three ;;
"compose port") echo 127.0.0.1:8787 ;;
"compose up" | "compose build") exit "$(cat "$2")" ;;
"compose rm") ;;
"inspect "*)
    cat "looks/$(ls looks | head -n 1)"
    if [ "$(ls looks | wc -l)" -gt 1 ]; then rm "looks/$(ls looks | head -n 1)"; fi
    ;;
logs*) echo "the last words of $4" ;;
*) exit 9 ;;
esac
"""
SECRETS = "secrets one exited 0 - 0 no"
LOOKS = (
    f"{SECRETS}\ncdc two running 0 starting 0 unless-stopped\nrag-api three created 0 starting 0 unless-stopped",
    f"{SECRETS}\ncdc two running 0 healthy 0 unless-stopped\nrag-api three running 0 starting 0 unless-stopped",
    f"{SECRETS}\ncdc two running 0 healthy 0 unless-stopped\nrag-api three running 0 healthy 0 unless-stopped",
)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    (tmp_path / "looks").mkdir()
    for command in ("up", "build"):
        (tmp_path / command).write_text("0")
    program = tmp_path / "docker"
    program.write_text(ENGINE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def up(engine: Path, *looks: str, **environment: str) -> subprocess.CompletedProcess[str]:
    for number, look in enumerate(looks):
        (engine / "looks" / str(number)).write_text(look + "\n")
    given = {name: value for name, value in os.environ.items() if name not in ("FLOWS", "WAY", "COMPOSE_PROFILES")}
    path = f"{engine}:{os.environ['PATH']}"
    return subprocess.run(
        ["scripts/up"], cwd=ROOT, env=given | {"PATH": path} | environment, capture_output=True, text=True, check=False
    )


def test_it_says_what_it_waits_for_and_then_where_it_is_and_how_to_make_a_key(engine: Path) -> None:
    done = up(engine, *LOOKS)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:5] == [
        "up: waiting for cdc (running, starting), rag-api (created, starting)",
        "up: waiting for rag-api (running, starting)",
        "LLM Twin is up at http://127.0.0.1:8787",
        "  a key for it:  docker compose exec rag-api twin keys create laptop",
    ]


@pytest.mark.parametrize(
    ("broken", "how"),
    [
        ("cdc two restarting 3 unhealthy 5 unless-stopped", "cdc restarting, unhealthy"),
        ("cdc two running 0 unhealthy 0 unless-stopped", "cdc running, unhealthy"),
        ("cdc two exited 3 unhealthy 0 unless-stopped", "cdc ended with 3"),
        ("replica-set two exited 1 - 0 no", "replica-set ended with 1"),
    ],
)
def test_what_fails_is_named_with_its_last_lines(engine: Path, broken: str, how: str) -> None:
    done = up(engine, f"{SECRETS}\n{broken}\nrag-api three created 0 starting 0 unless-stopped")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"up: {how}; its last lines:", "    the last words of two"]


def test_a_start_that_compose_gives_up_is_explained_the_same_way(engine: Path) -> None:
    (engine / "up").write_text("1")

    done = up(engine, "replica-set two exited 1 - 0 no")

    assert done.returncode == 1
    assert "up: replica-set ended with 1; its last lines:" in done.stderr


def test_who_is_never_healthy_is_named_when_the_time_is_over(engine: Path) -> None:
    done = up(engine, LOOKS[1], SECONDS_TO_WAIT="-1")

    assert done.returncode == 1
    assert "up: not healthy after -1 s" in done.stderr
    assert "up: rag-api running, starting; its last lines:" in done.stderr


def test_without_a_network_the_images_that_are_there_are_started(engine: Path) -> None:
    (engine / "build").write_text("1")

    done = up(engine, LOOKS[-1])

    assert done.returncode == 0
    assert done.stderr == "up: nothing was built, so the images that are there will have to do\n"


def test_two_flows_are_told_of_each_other(engine: Path) -> None:
    up(engine, LOOKS[-1], FLOWS="2", COMPOSE_PROFILES="failover")

    calls = (engine / "calls").read_text().splitlines()
    assert "compose up --detach --no-build FLOW_COUNT=2 COMPOSE_PROFILES=failover,flows" in calls


def test_one_flow_ends_the_second_of_two(engine: Path) -> None:
    up(engine, LOOKS[-1])

    calls = (engine / "calls").read_text()
    assert "compose rm --stop --force feature-stream-2 FLOW_COUNT= COMPOSE_PROFILES=flows" in calls


def test_the_embedded_way_starts_one_container(engine: Path) -> None:
    done = up(engine, LOOKS[-1], WAY="embedded")

    assert "docker compose exec embedded twin keys create laptop" in done.stdout
    calls = (engine / "calls").read_text()
    assert "compose up --detach --no-build embedded FLOW_COUNT= COMPOSE_PROFILES=embedded" in calls


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WAY", "cloud", "up: WAY is 'cloud'; set it to services (a container for each, the default) or embedded"),
        ("FLOWS", "3", "up: FLOWS is '3'; set it to 1 or 2; for more"),
    ],
)
def test_a_wrong_wish_is_told_before_anything_starts(engine: Path, name: str, value: str, said: str) -> None:
    done = up(engine, **{name: value})

    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert "compose up" not in (engine / "calls").read_text()


def test_an_engine_that_does_not_answer_is_told(engine: Path) -> None:
    (engine / "docker").write_text(ENGINE.replace('"compose version" | "info ")', '"compose version")'))

    done = up(engine)

    assert done.returncode == 1
    assert done.stderr.startswith("up: nothing answers as Docker: start it")
