"""The reader that fits the embedder of the settings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from twin_contracts.embedding import MINILM, EmbeddingModel
from twin_platform.embedding.errors import WeightsUnavailable
from twin_platform.embedding.folder import spec_of
from twin_platform.embedding.open import EmbeddingSettings, find_weights
from twin_platform.embedding.weights import WeightsCache, WeightsSource, digest_of
from twin_platform.reading.onnx import CHANGES, UNREAD, OnnxReader
from twin_platform.reading.port import Excerpt, Reader, Scores
from twin_platform.reading.words import WordReader


def open_reader(settings: EmbeddingSettings, say: Callable[[str], None]) -> Reader:
    """Find the reader's weights, building them from MiniLM's the first time; `say` is told each step.

    The reader is MiniLM whatever model embeds. Where its weights are nowhere to be had, as next to another model on a
    machine without network, that is said, and the reader finds an answer in nothing.

    Raises:
        WeightsInvalid: the configured folder, looked at where the cache has no reader, lacks a file.
    """
    if settings.model is EmbeddingModel.HASHING:
        return WordReader()
    spec = MINILM.model_copy(update={"id": f"minilm-l6-v2-reader-{digest_of(CHANGES)[:8]}"})
    cache = WeightsCache(settings.cache_folder, say, "reading model")
    try:
        folder = cache.get(spec, _sources(settings, say))
    except WeightsUnavailable as error:
        say(f"reading model: not to be had ({'; '.join(error.tried)})")
        say("reading model: without it every question is refused, unless a language model answers")
        return NoReader()
    return OnnxReader(folder, settings.threads)


class NoReader:
    """Stands where there are no weights: nothing answers."""

    def read(self, _question: str, excerpts: Sequence[Excerpt]) -> list[Scores]:
        """Return the lowest scores."""
        return [np.full(len(excerpt.sentences), UNREAD, np.float32) for excerpt in excerpts]


def _sources(settings: EmbeddingSettings, say: Callable[[str], None]) -> Iterator[WeightsSource]:
    """Yield what builds it, imported only where the cache has none: half a second and up to 37 MB."""
    from twin_platform.reading.adapt import AdaptedWeights  # noqa: PLC0415

    if settings.path and spec_of(find_weights(settings, say), MINILM.dimension) == MINILM:
        yield AdaptedWeights(settings.path.expanduser())
    else:
        yield AdaptedWeights(find_weights(replace(settings, path=None, spec=MINILM), say))
