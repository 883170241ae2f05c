"""What the images are built from, as far as no engine is needed to see it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
_ENTRY = re.compile(r"^([a-z0-9][^\n]*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
DEV = {"hypothesis", "mypy", "pytest", "ruff", "uv"}


def locked(lock: Path) -> dict[str, str]:
    """Return name and version, with its marker -> its hashes."""
    return dict(_ENTRY.findall(lock.read_text("utf-8")))


def test_images_hold_what_tests_have_run_on_and_nothing_else() -> None:
    everything, images = locked(ROOT / "requirements.lock"), locked(DOCKER / "requirements.lock")

    assert images.items() <= everything.items()
    assert {name for name in everything if name.startswith(("pydantic==", "bytewax==", "pymongo=="))} <= images.keys()


def test_no_tool_of_development_is_in_an_image() -> None:
    names = {entry.split("==")[0] for entry in locked(DOCKER / "requirements.lock")}

    assert names & DEV == set()


def test_bases_are_arguments_pinned_by_tag() -> None:
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    foreign = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))

    assert foreign == {f"${{{name}}}" for name in defaults}
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in defaults.values())


def test_the_base_has_the_oldest_python_that_is_tested() -> None:
    assert "ARG PYTHON_IMAGE=python:3.11." in (DOCKER / "Dockerfile").read_text("utf-8")
