"""The house's own rules, as far as no tool of its own checks them."""

import importlib
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("*/*/twin_*/__init__.py"))
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def settings_classes() -> Iterator[type[BaseSettings]]:
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(package)], f"{package.name}."):
            if module.name.endswith(".settings"):
                for member in vars(importlib.import_module(module.name)).values():
                    if isinstance(member, type) and issubclass(member, BaseSettings) and member is not BaseSettings:
                        yield member


def test_the_example_environment_names_every_setting_with_its_default() -> None:
    expected = {}
    for settings in settings_classes():
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            default = "" if field.default in (None, PydanticUndefined) else str(field.default)
            expected[str(field.validation_alias or (prefix + name).upper())] = default

    shown = re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)

    assert dict(shown) == expected
    assert len(shown) == len(expected)


def test_torch_is_not_in_the_default_environment() -> None:
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCK, re.MULTILINE))

    assert locked & {"torch", "torchvision", "nvidia-cublas-cu12", "triton", "vllm", "sentence-transformers"} == set()


def test_every_locked_package_has_its_hashes_and_no_server() -> None:
    entries = re.findall(r"^([a-z0-9][^\n]*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", LOCK, re.MULTILINE)
    without_comments = re.sub(r"^(?: *#.*)?\n", "", LOCK, flags=re.MULTILINE)

    assert without_comments == "".join(f"{name} \\\n{hashes}" for name, hashes in entries)


def test_make_alone_prints_help_with_every_target() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    for target in ("setup", "test", "faults", "lint", "types", "imports", "bench", "ci", "size", "clean"):
        assert f"make {target} " in shown
