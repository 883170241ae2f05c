"""Datasets, adapters and their evaluation, as the trainer, the server and people exchange them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, Digest, DocumentId, Instant, Text

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Rating(StrEnum):
    """A reader's verdict on an answer."""

    UP = "up"
    DOWN = "down"


class Feedback(Contract):
    """A verdict, and where given a correction, on one completion."""

    completion_id: Text
    rating: Rating
    correction: Text | None = None
    created_at: Instant


class _Sample(Contract):
    author: AuthorId
    prompt: Text
    documents: tuple[DocumentId, ...]
    """Lineage: deleting one of these deletes the sample."""


class InstructSample(_Sample):
    """One row for supervised fine-tuning."""

    completion: Text


class PreferenceSample(_Sample):
    """One row for DPO."""

    chosen: Text
    rejected: Text


class DatasetManifest(Contract):
    """What a dataset was made from; its id changes when its rows do."""

    id: Digest
    created_at: Instant
    instruct: NonNegativeInt
    preference: NonNegativeInt
    documents: tuple[DocumentId, ...]


class EvalMeasure(Contract):
    """One figure of an evaluation."""

    name: Text
    candidate: float
    champion: float | None = None


class EvalReport(Contract):
    """Candidate against champion."""

    adapter: Name
    dataset: Digest
    measures: Annotated[tuple[EvalMeasure, ...], Field(min_length=1)]
    passed: bool


class AdapterRelease(Contract):
    """A trained adapter that a server may load; every release has a new name."""

    name: Name
    base_model: Text
    dataset: Digest
    rank: PositiveInt
    created_at: Instant
    report: EvalReport | None = None
    promoted_at: Instant | None = None
