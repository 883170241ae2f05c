"""What `twin demo` reads, and the sentence in it that the demo asks for, edits and deletes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from twin_cli.errors import CommandError
from twin_cli.inputs import Input, read_inputs
from twin_cli.local import is_repository, read_repository
from twin_contracts.base import DocumentId
from twin_contracts.documents import DocumentType, Raw
from twin_platform.documents.port import DocumentStore


def clone_above(file: Path) -> Path:
    """Return the folder that a file of this package would have four levels above in a clone; installed, it is any."""
    return file.parent.parent.parent.parent


CLONE: Final = clone_above(Path(__file__).resolve())
SAMPLES: Final = CLONE / "demo" / "posts"
SAMPLE_AUTHOR: Final = "Mira Sample"
REAL_QUESTION: Final = "What does an event carry?"
"""About this repository, to whoever reads it for the first time."""
TOPIC: Final = "Why I varnish the mast myself"

_READ: Final = ("docs/", "services/cdc/")
"""What of the clone is read: prose and code, few enough for a first impression in seconds."""
_QUESTION: Final = "How long does the varnish dry between two coats?"
_SENTENCE: Final = "I let the varnish dry for 14 hours between two coats."
_CHANGED: Final = "I let the varnish dry for 36 hours between two coats."
_PAGE: Final = 50
_LOOKED_AT: Final = 500
"""Documents in which a sentence to ask about is looked for."""
_PLAIN: Final = re.compile(r"(?:^|(?<=[.!?] )|(?<=>))[A-Z][\w ,'’-]{40,160}\.(?=\s|<|$)", re.MULTILINE)
"""A sentence without markup, so that it stands in the raw text as it does in an answer."""


@dataclass(frozen=True)
class Story:
    """One sentence, the question that it answers, and what it is changed into."""

    document: Raw
    question: str
    sentence: str
    changed: str

    def edited(self) -> Raw:
        """Return the document with the changed sentence, and nothing else different."""
        return self.document.model_copy(update={"text": self.document.text.replace(self.sentence, self.changed, 1)})


def own_inputs() -> Iterator[Input]:
    """Yield the sample posts, and what is read of the clone itself, less whatever quotes them.

    Raises:
        CommandError: this program is not run from a clone.
    """
    if not SAMPLES.is_dir():
        message = "`twin demo` without an argument reads the clone that it stands in; name a feed, page or folder"
        raise CommandError(message)
    yield from read_inputs([SAMPLES], SAMPLE_AUTHOR)
    for item in _files_of_the_clone():
        if isinstance(item, Input) and item.document is not None and not _quotes_samples(item.document.text):
            yield item


def own_story(store: DocumentStore) -> Story:
    """Return the story that the sample posts were written for."""
    return next(
        Story(document, _QUESTION, _SENTENCE, _CHANGED)
        for document in documents_of(store)
        if _SENTENCE in document.text
    )


def stories(store: DocumentStore) -> Iterator[Story]:
    """Yield stories about sentences of anybody's texts; whether the answer finds them is for the caller to see."""
    for document in islice(documents_of(store), _LOOKED_AT):
        if document.type is not DocumentType.CODE:
            for sentence in islice(_PLAIN.findall(document.text), 2):
                if document.text.count(sentence) == 1:
                    said = sentence[:-1]
                    yield Story(
                        document=document,
                        question=f"{said}?",
                        sentence=sentence,
                        changed=f"{said}, and these words are the demo's.",
                    )


def documents_of(store: DocumentStore) -> Iterator[Raw]:
    """Yield everything in the store."""
    after: DocumentId | None = None
    while page := store.find(after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def _files_of_the_clone() -> Iterator[object]:
    if not is_repository(CLONE):  # unpacked from an archive
        yield from read_inputs([CLONE / "docs"], None)
        return
    uri = f"{CLONE.as_uri()}/"
    for item in read_repository(CLONE, None):
        if isinstance(item, Input) and item.document is not None:
            path = (item.document.url or "").removeprefix(uri)
            if path.startswith(_READ):
                yield item


def _quotes_samples(text: str) -> bool:
    """Return whether a text repeats what the demo asks about; deleted, it must not be found a second time."""
    return any(quoted in text for quoted in (_QUESTION, _SENTENCE, _CHANGED))
