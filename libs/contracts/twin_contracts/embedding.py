"""Which embedding model a collection was filled with; index and query read the same spec."""

from enum import StrEnum
from typing import Annotated

from pydantic import PositiveInt, StringConstraints

from twin_contracts.base import Contract, Text


class EmbeddingModel(StrEnum):
    """Models that a setting can name."""

    MINILM = "minilm"
    HASHING = "hashing"
    """Words hashed, no meaning, next to no cost: for load tests."""


class EmbeddingSpec(Contract):
    """Identity of an embedding: two vectors are comparable only under equal specs."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    """Part of the collection's name: `<alias>__<id>`."""
    model: Text
    """Its repository on the model hub."""
    revision: Text
    """The commit of that repository, so that the same spec never names other weights."""
    dimension: PositiveInt
    max_tokens: PositiveInt
    """Longest input in tokens, special tokens included; the model ignores what is beyond."""
    query_prefix: Text = ""
    document_prefix: Text = ""


MINILM = EmbeddingSpec(
    id="minilm-l6-v2-384",
    model="sentence-transformers/all-MiniLM-L6-v2",
    revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    dimension=384,
    max_tokens=256,
)
"""The default for prose and code: Apache-2.0, English, 22 M parameters, fast on a CPU."""
