"""`twin import`: store documents through a client and watch them become searchable."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from twin_cli.client import Client, unsaid
from twin_cli.errors import Refused
from twin_cli.follow import Follower, tell_degraded
from twin_cli.inputs import Input
from twin_contracts.base import DocumentId
from twin_contracts.http import DocumentState

WAIT_SECONDS = 20.0
NOT_ABOUT_ONE_DOCUMENT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass
class Imported:
    """What became of an import."""

    stored: int = 0
    """Documents; what was given twice under one id counts once, and the last one holds."""
    indexed: int = 0
    refused: list[str] = field(default_factory=list)
    """One line per document that was not stored or not indexed: its name and the reason."""


def import_documents(
    inputs: Iterable[Input],
    client: Client,
    stored: Callable[[Input], None],
    indexed: Callable[[Input], None],
    trouble: Callable[[str], None] = unsaid,
    follower: Follower | None = None,
) -> Imported:
    """Store every input, then wait until each is indexed or has a reason why not. Safe to repeat.

    Args:
        inputs: what to import.
        client: the running system.
        stored: called once per input, after its document's commit or when it was refused.
        indexed: called once per input, when its document has arrived in both snapshots or was refused.
        trouble: told what keeps the system from working, while it does.
        follower: follows what the store did not have already.

    Raises:
        Refused: the system refuses the key, so nothing can be stored.
    """
    result = Imported()
    waiting: dict[DocumentId, list[Input]] = {}
    for item in inputs:
        reason = _store(item, client, follower)
        stored(item)
        if reason is None and item.document_id is not None:
            waiting.setdefault(item.document_id, []).append(item)
        else:
            result.refused.append(f"{item.name}: {reason}")
            indexed(item)
    if follower is not None:
        follower.until_arrived(trouble)
    result.stored = len(waiting)
    for document_id, items in waiting.items():
        reason = wait_until_indexed(document_id, client, trouble)
        if reason is None:
            result.indexed += 1
        else:
            result.refused.append(f"{items[-1].name}: {reason}")
        for item in items:
            indexed(item)
    return result


def _store(item: Input, client: Client, follower: Follower | None) -> str | None:
    """Store one document; return why it was refused."""
    if item.document_id is None or item.document is None:
        return item.refused
    try:
        status = client.put(item.document_id, item.document)
    except Refused as error:
        if error.status in NOT_ABOUT_ONE_DOCUMENT:
            raise
        return error.detail
    if follower is not None:
        follower.look([item.document_id] if status.status is DocumentState.PENDING else [])
    return None


def wait_until_indexed(document_id: DocumentId, client: Client, trouble: Callable[[str], None]) -> str | None:
    """Wait for one document; return why it will not be indexed."""
    try:
        while (status := client.document(document_id, wait=WAIT_SECONDS)).status is DocumentState.PENDING:
            tell_degraded(client, trouble)
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return "deleted by somebody else meanwhile"
    return None if status.status is DocumentState.INDEXED else f"{status.status}: {status.reason or 'no reason given'}"
