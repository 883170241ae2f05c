"""What another program may leave in a store: bytes that no release of ours writes there, one way per adapter."""

import sqlite3
from contextlib import closing
from pathlib import Path

from twin_contracts.base import DocumentId
from twin_contracts.queues import Queue


def write_document(folder: Path, document_id: DocumentId, body: bytes) -> None:
    """Store these bytes as the document's, as a commit of its own that the change feed tells."""
    with closing(sqlite3.connect(folder / "documents.db", timeout=10.0)) as connection, connection:
        connection.execute("UPDATE versions SET increment = increment + 1")
        connection.execute(
            "REPLACE INTO documents SELECT ?, seconds, increment, ?, 'f00d', 'ada', 'Ada', 'post', ? FROM versions",
            (document_id, "2025-01-01T00:00:00.000000+00:00", body),
        )


def damage_document(folder: Path, document_id: DocumentId, body: bytes) -> None:
    """Replace the document's stored bytes behind the change feed's back."""
    with closing(sqlite3.connect(folder / "documents.db", timeout=10.0)) as connection, connection:
        changed = connection.execute("UPDATE documents SET body = ? WHERE id = ?", (body, document_id)).rowcount
        assert changed == 1, f"there is no document {document_id!r} to damage"


def publish_bytes(folder: Path, queue: Queue, headers: str, body: bytes) -> None:
    """Put a message into a queue of the event log."""
    with closing(sqlite3.connect(folder / "log.db", timeout=10.0)) as connection, connection:
        connection.execute("INSERT INTO events (queue, headers, body) VALUES (?, ?, ?)", (queue.name, headers, body))
        connection.execute("UPDATE queues SET bytes = bytes + ? WHERE name = ?", (len(body), queue.name))
