"""Where a model's `model.onnx` and `tokenizer.json` come from: a configured folder, the cache, then the network."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ValidationError

from twin_contracts.base import Digest
from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.errors import SourceFailed, WeightsInvalid, WeightsUnavailable
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE

Say = Callable[[str], None]
"""Takes one line for a person."""

_FILES = (MODEL_FILE, TOKENIZER_FILE)
_MANIFEST = "manifest.json"


class WeightsSource(Protocol):
    """A place that weights may be fetched from."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    def fetch(self, spec: EmbeddingSpec, folder: Path, say: Say) -> None:
        """Put `model.onnx` and `tokenizer.json` into `folder`; leave nothing else behind.

        Raises:
            SourceFailed: it cannot; the reason is told to a person.
        """


class Manifest(BaseModel, frozen=True):
    """What lies beside cached weights: what they are, where they came from, and their checksums."""

    spec: EmbeddingSpec
    source: str
    files: dict[str, Digest]


def configured_weights(path: Path, say: Say) -> Path:
    """Return the folder that a setting names.

    Raises:
        WeightsInvalid: a file is missing; nothing else is tried, since somebody wanted this folder.
    """
    missing = [name for name in _FILES if not (path / name).is_file()]
    if missing:
        raise WeightsInvalid(str(path), f"there is no {' and no '.join(missing)}")
    say(f"embedding model: from the configured folder {path}")
    return path


def spec_in_manifest(folder: Path, files: Mapping[str, Digest]) -> EmbeddingSpec | None:
    """Return the spec under which the folder's files were fetched, where a cache's folder was copied; else None."""
    try:
        manifest = Manifest.model_validate_json((folder / _MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return manifest.spec if manifest.files == files else None


class WeightsCache:
    """A folder of models, one folder per spec. Safe for any number of processes at once.

    A model appears whole or not at all: it is built beside its place and renamed. One whose checksums do not match its
    manifest is never used; it is fetched again.
    """

    def __init__(self, root: Path, say: Say, what: str = "embedding model") -> None:
        self._root = root
        self._say = say
        self._what = what

    def get(self, spec: EmbeddingSpec, sources: Iterable[WeightsSource]) -> Path:
        """Return the model's folder, filled by the first source that can if it is not there. May take minutes.

        Raises:
            WeightsUnavailable: no source had the weights, or the cache cannot be written.
        """
        folder = self._root / spec.id
        try:
            flaw = _flaw(folder, spec)
            if flaw is not None:
                self._tell(f"cache {folder}: {flaw}")
                with self._only_builder(spec):
                    self._fill(folder, spec, sources)
        except OSError as error:
            raise WeightsUnavailable(spec.model, (f"cache {self._root}: {error}",)) from error
        self._tell(f"from the cache {folder}, checksums match")
        return folder

    def _fill(self, folder: Path, spec: EmbeddingSpec, sources: Iterable[WeightsSource]) -> None:
        """Fetch and put in place, unless another process did while this one waited."""
        flaw = _flaw(folder, spec)
        if flaw is None:
            return
        tried = [f"cache {folder}: {flaw}"]
        building = self._root / f".{spec.id}.building"
        for source in sources:
            shutil.rmtree(building, ignore_errors=True)  # a killed process may have left one
            building.mkdir()
            self._tell(f"trying {source.name}")
            try:
                source.fetch(spec, building, self._tell)
            except SourceFailed as error:
                self._tell(f"{source.name} failed: {error}")
                tried.append(f"{source.name}: {error}")
                continue
            files = {name: digest_of(building / name) for name in _FILES}
            manifest = Manifest(spec=spec, source=source.name, files=files)
            (building / _MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
            self._replace(folder, building)
            return
        shutil.rmtree(building, ignore_errors=True)
        raise WeightsUnavailable(spec.model, tuple(tried))

    def _replace(self, folder: Path, building: Path) -> None:
        """Put a finished folder in place; who still reads the old files keeps them."""
        if folder.exists():
            with tempfile.TemporaryDirectory(dir=self._root) as aside:
                folder.replace(Path(aside) / folder.name)
        building.replace(folder)

    @contextmanager
    def _only_builder(self, spec: EmbeddingSpec) -> Iterator[None]:
        """Hold this spec's lock; the system gives it back however the process ends."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / f".{spec.id}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._tell("another process is fetching it; waiting")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _tell(self, line: str) -> None:
        self._say(f"{self._what}: {line}")


def _flaw(folder: Path, spec: EmbeddingSpec) -> str | None:
    """Say why a cached folder cannot be used, or None where it can."""
    try:
        manifest = Manifest.model_validate_json((folder / _MANIFEST).read_bytes())
        changed = [name for name in _FILES if manifest.files.get(name) != digest_of(folder / name)]
    except FileNotFoundError as error:
        return "not there" if not folder.exists() else f"{Path(error.filename).name} is missing"
    except ValidationError:
        return f"{_MANIFEST} is damaged"
    if manifest.spec != spec:
        return f"it holds {manifest.spec.model} at {manifest.spec.revision}, another model"
    return f"{' and '.join(changed)} does not match its checksum" if changed else None


def digest_of(file: Path) -> Digest:
    """Return the file's SHA-256; measured, 1 GB a second."""
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()
