"""What handlers take and give. Plain Python: no handler knows the runner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw
from twin_contracts.records import Metadata, Stage
from twin_platform.embedding.port import Vectors


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """A document ready to be chunked, and what the `documents` snapshot keeps of it."""

    document_id: DocumentId
    text: str
    """Markdown for articles, plain text for posts, source for code."""
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a clean document's text, and the headings it stands under."""

    text: str
    heading_path: tuple[str, ...] = ()

    @property
    def embedded_text(self) -> str:
        """Return exactly what the embedder sees: the heading path on a line of its own, then the text, trimmed."""
        text = self.text.strip()
        return " > ".join(self.heading_path) + "\n" + text if self.heading_path else text


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document that a stage refuses; the reason becomes its record's and is read by a person."""

    stage: Stage
    reason: str


class Handler(Protocol):
    """What every handler tells of itself. `repr` shows its settings; with `version` it makes up the pipeline's hash."""

    version: ClassVar[int]
    """Raised with every change of behaviour; `twin resync` then rewrites what older versions made."""


class CleanHandler(Handler, Protocol):
    """Raw to clean."""

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        """Return the clean document, or why there is none."""


class ChunkHandler(Handler, Protocol):
    """Clean to chunks."""

    def __call__(self, document: CleanDocument) -> Sequence[Chunk]:
        """Return chunks in order; none is above the model's limit and together they hold all of the text."""


class EmbedHandler(Handler, Protocol):
    """Embedded texts to vectors."""

    def __call__(self, texts: Sequence[str], stop: Callable[[], bool]) -> Vectors:
        """Return one vector per text; raises `EmbeddingInterrupted` when `stop` says so."""
