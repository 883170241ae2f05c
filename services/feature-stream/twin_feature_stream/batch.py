"""An epoch on its way: what was taken from the log, what is prepared of it, what is ready to be committed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from twin_contracts.base import Digest
from twin_contracts.queues import Queue
from twin_feature_stream.prepare import Prepared, PreparedChunk
from twin_platform.features.port import FeatureChange, Vector
from twin_platform.log.port import Delivery, Position


@dataclass(frozen=True, slots=True)
class Work:
    """One delivery to process in this epoch."""

    delivery: Delivery
    slice_bytes: int | None = None
    """Where set, only that much of its document."""
    deaths: int = 0
    """How often a process died while it handled this."""

    @property
    def key(self) -> tuple[Queue, Position]:
        """Return what names the delivery while it is in hand."""
        return self.delivery.queue, self.delivery.position


@dataclass(frozen=True, slots=True)
class Slice:
    """The next chunks of a document that takes several epochs."""

    document: Prepared
    chunks: list[PreparedChunk]
    vectors: Mapping[Digest, Vector]
    """Those that the store held when the document's first slice was prepared."""
    is_last: bool
    """Then the record goes with it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """An epoch between its two stages: everything about it but the vectors."""

    changes: list[FeatureChange]
    """What needs no vector."""
    documents: list[Prepared]
    slices: list[Slice]
    finished: list[Delivery]
    """Deliveries of which nothing is left once this epoch is committed."""


@dataclass(frozen=True, slots=True)
class Computed:
    """An epoch ready to be committed."""

    changes: list[FeatureChange]
    """In any order but purges last."""
    committed_at: list[datetime]
    """When the store committed the live documents that this epoch makes searchable."""
    embedded: int
    """Chunks that got a new vector: work that a later process finds done."""
