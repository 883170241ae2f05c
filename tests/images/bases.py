"""Where the images of others come from: their registry, or stand-ins that are made of Debian's packages here."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from images.engine import ROOT, Engine, Failed

PYTHON = "llm-twin-standin/python:bookworm"
COMPOSE = {"COMPOSE_FILE": "docker-compose.yml:tests/images/docker-compose.yml", "PYTHON_STANDIN": PYTHON}
_PACKAGES = "ca-certificates,python3,python3-venv"
_CERTIFICATES = Path("usr/local/share/ca-certificates")
_PULL_SECONDS = 300


def registry_answers(engine: Engine) -> bool:
    """Return whether the base of our images can be had."""
    base = re.findall(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "deploy/docker/Dockerfile").read_text("utf-8"), re.MULTILINE)
    try:
        engine.run("docker", "pull", "--quiet", *base, seconds=_PULL_SECONDS)
    except (Failed, subprocess.TimeoutExpired):
        return False
    return True


def make_base(engine: Engine, say: Callable[[str], None]) -> None:
    """Make Debian 12 with its Python the base of our images, once; it trusts whom this machine trusts."""
    if engine.run("docker", "images", "--quiet", PYTHON):
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        message = "no registry answers; stand-ins want root and debootstrap (on Debian: apt-get install debootstrap)"
        raise Failed(message)
    say(f"making {PYTHON} by debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        engine.run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", folder)
        for certificate in (Path("/") / _CERTIFICATES).glob("*.crt"):
            shutil.copy(certificate, Path(folder) / _CERTIFICATES)
        engine.run("chroot", folder, "update-ca-certificates")
        engine.run("chroot", folder, "apt-get", "clean")
        engine.run("sh", "-c", 'tar -C "$0" -c . | docker import - "$1"', folder, PYTHON)


def build_standins(engine: Engine, flow_image: str) -> None:
    """Build the servers' stand-ins; a flow's image has what the vector store's needs."""
    arguments: Mapping[str, str] = {"PYTHON_IMAGE": PYTHON, "FLOW_IMAGE": flow_image}
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    for name in ("rabbitmq", "qdrant"):
        tag = ("--target", name, "--tag", f"llm-twin-standin/{name}")
        engine.run("docker", "build", "--file", "tests/images/Dockerfile", *tag, *given, "tests")
