"""Every command that the README shows works as it stands there."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DEFAULT_PORT = 8787
STARTED_WITHIN = 240.0
"""Seconds; the first start may have to fetch the embedding model."""
DONE_BEFORE = re.compile(
    r"git clone .*|cd llm-twin|make (setup|test|test-unit|lint|types|imports|size|ci|demo-crash|up-processes.*|up)"
    r"|docker compose exec .*"
)
"""What CI itself did to come here, or does beside this test: by `make ci`, in another test or the public workflow."""


def readme_commands(text: str) -> list[str]:
    """Return the command lines of all `sh` blocks, continued lines joined, comments (two spaces before) dropped."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    commands = (re.sub(r"(^|\s{2,})#\s.*", "", line).strip() for line in lines)
    return [command for command in commands if command]


@contextmanager
def running(command: str, environment: dict[str, str], url: str) -> Iterator[None]:
    """Keep `command` running until the block ends; an interrupt then has to end it."""
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=ROOT, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + STARTED_WITHIN
        while not is_ready(url):
            assert process.poll() is None, f"{command!r} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command!r} was not ready within {STARTED_WITHIN:.0f} s"
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    shell = ["bash", "-euo", "pipefail", "-c", command]
    return subprocess.run(
        shell,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.timeout(900)
def test_every_command_of_the_readme_works_as_written(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "TWIN_DATA": str(tmp_path / "data"), "RAG_API_PORT": str(port)}
    commands = [line.replace(f":{DEFAULT_PORT}", f":{port}") for line in readme_commands(README.read_text("utf-8"))]
    todo = [command for command in commands if not DONE_BEFORE.fullmatch(command)]
    assert "./twin up" in todo

    with running("./twin up", environment, f"http://127.0.0.1:{port}"):
        for command in todo:
            if command != "./twin up":
                done = run(command, environment)
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
                assert done.stdout.strip(), f"{command} said nothing\n{done.stderr}"
                assert "ask" not in command or "[1]" in done.stdout, f"{command} was refused\n{done.stdout}"
