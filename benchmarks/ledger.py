"""The ledger of writes: what was acknowledged to the writer, and what it will never know."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Self

from twin_contracts.base import Digest, DocumentId

Held = Digest | None
"""Content hash of a document; None: it is not there."""


class Ledger:
    """What a writer was promised, by document id. Thread-safe.

    A write is begun before it is asked for and acknowledged after the store's answer. Begun and never acknowledged, it
    may have happened or not: both are right, and it stays so until the next acknowledged write of the same document.

    Args:
        path: a file that each entry is in before the call returns, so that it outlives a killed writer; what is in it
            already is read first. None keeps the ledger in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = Lock()
        self._acknowledged: dict[DocumentId, Held] = {}
        self._uncertain: dict[DocumentId, list[Held]] = {}
        self.writes = 0
        """Acknowledged ones."""
        for line in path.read_text().splitlines(keepends=True) if path and path.exists() else ():
            if line.endswith("\n"):  # else the writer was killed within it, so its caller never went on
                self._enter(**json.loads(line))
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None

    def begin(self, document_id: DocumentId, held: Held) -> None:
        """Note that a document is about to be written (its content hash) or deleted (None)."""
        self._note("begun", document_id, held)

    def acknowledge(self, document_id: DocumentId, held: Held) -> None:
        """Note that the store has answered: from now on this is what it must hold."""
        self._note("acknowledged", document_id, held)

    def settled(self, stored: Mapping[DocumentId, Digest]) -> dict[DocumentId, Held]:
        """Return what has to be there: the last acknowledged write, or an uncertain one after it that did happen.

        Args:
            stored: content hashes of what the store holds.
        """
        with self._lock:
            settled = dict(self._acknowledged)
            for document_id, uncertain in self._uncertain.items():
                held = stored.get(document_id)
                if held in uncertain:
                    settled[document_id] = held
                else:
                    settled.setdefault(document_id, None)
            return settled

    def uncertain(self) -> int:
        """Return of how many documents nobody knows what the last write did."""
        with self._lock:
            return len(self._uncertain)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)

    def __enter__(self) -> Self:
        """Return the ledger; leaving closes its file."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self.close()

    def _note(self, state: str, document_id: DocumentId, held: Held) -> None:
        with self._lock:
            if self._file is not None:
                entry = {"state": state, "document_id": document_id, "held": held}
                os.write(self._file, json.dumps(entry).encode() + b"\n")
            self._enter(state, document_id, held)

    def _enter(self, state: str, document_id: DocumentId, held: Held) -> None:
        if state == "begun":
            self._uncertain.setdefault(document_id, []).append(held)
        else:
            self._uncertain.pop(document_id, None)
            self._acknowledged[document_id] = held
            self.writes += 1
