"""Computing ahead: while one epoch is embedded, the next is cleaned and chunked, and the one before is committed."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from twin_feature_stream.batch import Batch, Computed, Work
from twin_feature_stream.embed import Embedding
from twin_feature_stream.process import Process


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch on its way through the two stages."""

    works: Sequence[Work]
    prepared: Future[Batch]
    computed: Future[Computed]


class Ahead:
    """A thread per stage, so that epochs pass each stage in the order in which they were submitted.

    Nothing is committed here. An epoch may be computed from what the store held before the one ahead of it was
    committed: then a text is embedded once more, and the commit, which compares versions, is right all the same.
    """

    def __init__(self, process: Process, embedding: Embedding) -> None:
        self._process, self._embedding, self._status = process, embedding, embedding.status
        self._prepare = ThreadPoolExecutor(1, "prepare")
        self._embed = ThreadPoolExecutor(1, "embed")

    def submit(self, works: list[Work]) -> Epoch:
        """Begin an epoch. Its futures raise what its stages raised."""
        prepared = self._prepare.submit(self._prepared, works)
        return Epoch(works, prepared, self._embed.submit(self._computed, prepared))

    def _prepared(self, works: list[Work]) -> Batch:
        with self._status.stage("prepare"):
            return self._process.prepare(works)

    def _computed(self, prepared: Future[Batch]) -> Computed:
        batch = prepared.result()
        with self._status.stage("embed"):
            return self._embedding.embed(batch)

    def __enter__(self) -> Self:
        """Return this; leaving waits for the stages that run and drops those that do not yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End both threads."""
        self._prepare.shutdown(cancel_futures=True)
        self._embed.shutdown(cancel_futures=True)
