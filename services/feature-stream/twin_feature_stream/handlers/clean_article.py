"""Clean an article: Markdown stays, HTML becomes Markdown."""

from dataclasses import dataclass
from typing import ClassVar

from twin_contracts.documents import Raw, RawArticle
from twin_feature_stream.handlers.clean_text import metadata_of, repair, text_in_markdown
from twin_feature_stream.ports import CleanDocument, Rejected


@dataclass(frozen=True)
class CleanArticle:
    """Repair the text; a subtitle that the text does not hold becomes its first paragraph. The title is metadata."""

    version: ClassVar[int] = 1

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        """Return the repaired article, or a refusal where nothing of it is left."""
        text = text_in_markdown(document)
        if isinstance(text, Rejected):
            return text
        subtitle = repair(document.subtitle or "").strip() if isinstance(document, RawArticle) else ""
        if subtitle and subtitle not in text:
            text = f"{subtitle}\n\n{text}"
        return CleanDocument(document.id, text, metadata_of(document))
