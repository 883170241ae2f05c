"""Clean a source file: nothing but its line ends changes, because every space may mean something."""

import re
from dataclasses import dataclass
from typing import ClassVar

from twin_contracts.documents import Raw
from twin_contracts.records import Stage
from twin_feature_stream.handlers.clean_text import metadata_of
from twin_feature_stream.ports import CleanDocument, Rejected

_LINE_END = re.compile("\r\n?")


@dataclass(frozen=True)
class CleanCode:
    r"""Make every line end a `\n` and drop a byte order mark."""

    version: ClassVar[int] = 1

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        """Return the source as it is, or a refusal of an empty file."""
        text = _LINE_END.sub("\n", document.text.lstrip("\ufeff"))
        if not text.strip():
            return Rejected(Stage.CLEAN, "the source file is empty")
        return CleanDocument(document.id, text, metadata_of(document))
