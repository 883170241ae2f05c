"""Clean a post: short text without a title."""

from dataclasses import dataclass
from typing import ClassVar

from twin_contracts.documents import Raw
from twin_feature_stream.handlers.clean_text import metadata_of, text_in_markdown
from twin_feature_stream.ports import CleanDocument, Rejected


@dataclass(frozen=True)
class CleanPost:
    """Repair the text and drop what HTML adds to it."""

    version: ClassVar[int] = 1

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        """Return the repaired post, or a refusal where nothing of it is left."""
        text = text_in_markdown(document)
        if isinstance(text, Rejected):
            return text
        return CleanDocument(document.id, text, metadata_of(document))
