"""Who works while `make demo-crash` kills: somebody who imports this clone's texts, edits some and deletes others."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from twin_cli.client import Client
from twin_cli.demo_texts import CLONE, SAMPLE_AUTHOR, SAMPLES
from twin_cli.errors import Refused
from twin_cli.inputs import Input, read_inputs
from twin_cli.local import read_folder
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import AuthorRef, content_hash
from twin_contracts.http import DocumentInput
from twin_platform.errors import PlatformError
from twin_rag_api.raw import raw_document

FOLDERS: Final = ("docs", "services", "libs")
CHARACTERS: Final = 400_000
"""So much is read: a quarter of a minute of embedding on two cores."""
SHORTEST: Final = 200
"""Characters; a file with fewer says nothing that could be searched for."""
AHEAD: Final = 30
"""Documents stored and not yet searchable before the writer waits, so that it is at work at every kill, too."""
_EVERY: Final = 8
_EDITED: Final = (3, 5)
_DELETED: Final = 7
"""Of every eight imports, after which one an earlier document is edited or deleted; never both the same one."""
_OWNER: Final = AuthorRef.of(SAMPLE_AUTHOR)


@dataclass(frozen=True)
class Write:
    """One request: a document's content, or its deletion where that is None."""

    name: str
    document_id: DocumentId
    document: DocumentInput | None


@dataclass
class Acknowledged:
    """What the system has answered for: it is judged by nothing else."""

    ledger: dict[DocumentId, Digest | None] = field(default_factory=dict)
    """Content hash of what was last written, None after a deletion."""
    imported: int = 0
    edited: int = 0
    deleted: int = 0

    @property
    def present(self) -> int:
        """Return how many documents there have to be."""
        return sum(digest is not None for digest in self.ledger.values())

    def note(self, write: Write) -> None:
        """Enter a write that the system has answered."""
        if write.document is None:
            self.ledger[write.document_id] = None
            self.deleted += 1
            return
        self.edited += write.document_id in self.ledger
        self.imported += write.document_id not in self.ledger
        self.ledger[write.document_id] = content_hash(raw_document(write.document_id, write.document, _OWNER))


def own_texts() -> Iterator[Input]:
    """Yield the sample posts and the clone's own documentation and code."""
    left = CHARACTERS
    for item in [*_named("demo/posts", read_inputs([SAMPLES], SAMPLE_AUTHOR)), *_files()]:
        if item.document is not None and left > len(item.document.text) >= SHORTEST:
            left -= len(item.document.text)
            yield item


def writes(inputs: list[Input]) -> Iterator[Write]:
    """Yield every import and, in between, edits and deletions of documents that came half as far before."""
    for number, item in enumerate(inputs):
        yield _write(item, "")
        earlier = inputs[number // 2]
        if number % _EVERY in _EDITED:
            yield _write(earlier, "\n\nThis line was added while processes were being killed.\n")
        elif number % _EVERY == _DELETED:
            yield replace(_write(earlier, ""), document=None)


class Writer(threading.Thread):
    """Sends the writes one after the other; what a kill cut off is sent again, as `twin import` does."""

    def __init__(self, todo: list[Write], client: Client) -> None:
        super().__init__(name="writer", daemon=True)
        self.acknowledged = Acknowledged()
        self.failure: PlatformError | None = None
        self.settled = 0
        """Documents that are searchable or refused; kept by who watches the system."""
        self._todo, self._client = todo, client
        self._pause = threading.Event()

    def run(self) -> None:
        """Send everything."""
        try:
            for write in self._todo:
                while self.acknowledged.present - self.settled > AHEAD:
                    self._pause.wait(0.05)
                self._send(write)
                self.acknowledged.note(write)
        except PlatformError as error:
            self.failure = error

    def _send(self, write: Write) -> None:
        if write.document is not None:
            self._client.put(write.document_id, write.document)
            return
        try:
            self._client.delete(write.document_id)
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:  # a kill cut off the answer, and the second request finds it gone
                raise


def _files() -> Iterator[Input]:
    for folder in FOLDERS:
        read = (item for item in read_folder(CLONE / folder, None) if isinstance(item, Input))
        yield from _named(folder, (item for item in read if item.name.endswith((".py", ".md"))))


def _named(folder: str, items: Iterable[Input]) -> Iterator[Input]:
    return (replace(item, name=f"{folder}/{item.name}") for item in items)


def _write(item: Input, added: str) -> Write:
    document = item.document
    if document is None or item.document_id is None:
        message = f"{item.name} has no document"
        raise ValueError(message)
    return Write(item.name, item.document_id, document.model_copy(update={"text": document.text + added}))
