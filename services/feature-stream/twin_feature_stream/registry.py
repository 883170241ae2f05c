"""The table of strategies: which handler does which stage for which type of document."""

import hashlib
from collections.abc import Mapping
from typing import cast

from twin_contracts.base import Digest
from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.errors import HandlersMissing
from twin_feature_stream.ports import ChunkHandler, CleanHandler, EmbedHandler, Handler

HANDLED_STAGES = (Stage.CLEAN, Stage.CHUNK, Stage.EMBED)
"""Stages that every document passes by a handler of its type; the others are the flow's own."""


class HandlerRegistry:
    """Every pair of document type and handled stage has exactly one handler; a gap refuses to start."""

    def __init__(self, table: Mapping[tuple[DocumentType, Stage], Handler]) -> None:
        """Take the table.

        Raises:
            HandlersMissing: a pair is missing.
        """
        pairs = [(kind, stage) for kind in DocumentType for stage in HANDLED_STAGES]
        missing = tuple(pair for pair in pairs if pair not in table)
        if missing:
            raise HandlersMissing(missing)
        self._table = dict(table)
        self._pipelines = {kind: self._pipeline(kind) for kind in DocumentType}

    def clean(self, kind: DocumentType) -> CleanHandler:
        """Return the handler that turns raw documents of this type into clean ones."""
        return cast("CleanHandler", self._table[kind, Stage.CLEAN])

    def chunk(self, kind: DocumentType) -> ChunkHandler:
        """Return the handler that cuts clean documents of this type."""
        return cast("ChunkHandler", self._table[kind, Stage.CHUNK])

    def embed(self, kind: DocumentType) -> EmbedHandler:
        """Return the handler that embeds chunks of this type."""
        return cast("EmbedHandler", self._table[kind, Stage.EMBED])

    def pipeline(self, kind: DocumentType) -> Digest:
        """Return the hash of what this type's handlers do: equal over processes, new with every version or setting."""
        return self._pipelines[kind]

    def _pipeline(self, kind: DocumentType) -> Digest:
        handlers = [self._table[kind, stage] for stage in HANDLED_STAGES]
        told = "\n".join(f"{handler!r} {handler.version}" for handler in handlers)
        return hashlib.sha256(told.encode()).hexdigest()

    def all_pipelines(self) -> Digest:
        """Return one hash over every type's pipeline, for a document whose type is not known."""
        return hashlib.sha256("\n".join(self.pipeline(kind) for kind in DocumentType).encode()).hexdigest()
