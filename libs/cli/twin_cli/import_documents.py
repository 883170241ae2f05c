"""`twin import`: store documents through a client and watch them become searchable."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from twin_cli.client import Client
from twin_cli.errors import Refused
from twin_cli.inputs import Input
from twin_contracts.base import DocumentId
from twin_contracts.http import DocumentState

WAIT_SECONDS = 20.0


@dataclass
class Imported:
    """What became of an import."""

    stored: int = 0
    indexed: int = 0
    refused: list[str] = field(default_factory=list)
    """One line per document that was not stored or not indexed: its name and the reason."""


def import_documents(
    inputs: Iterable[Input],
    client: Client,
    stored: Callable[[Input], None],
    indexed: Callable[[Input], None],
) -> Imported:
    """Store every input, then wait until each is indexed or has a reason why not. Safe to repeat.

    Args:
        inputs: what to import.
        client: the running system.
        stored: called after each document's commit.
        indexed: called when a document has arrived in both snapshots, or was refused there.
    """
    result = Imported()
    waiting: dict[DocumentId, Input] = {}
    for item in inputs:
        if item.document_id is None or item.document is None:
            result.refused.append(f"{item.name}: {item.refused}")
            continue
        try:
            client.put(item.document_id, item.document)
        except Refused as error:
            result.refused.append(f"{item.name}: {error.detail}")
            continue
        result.stored += 1
        waiting[item.document_id] = item
        stored(item)
    for document_id, item in waiting.items():
        status = client.document(document_id, wait=WAIT_SECONDS)
        while status.status is DocumentState.PENDING:
            status = client.document(document_id, wait=WAIT_SECONDS)
        if status.status is DocumentState.INDEXED:
            result.indexed += 1
        else:
            result.refused.append(f"{item.name}: {status.status}: {status.reason or 'no reason given'}")
        indexed(item)
    return result
