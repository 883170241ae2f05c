"""`twin forget`: delete a document or everything by an author, and wait until nothing of it is found any more."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

import typer

from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.errors import CommandError, Refused
from twin_cli.settings import Settings
from twin_cli.terminal import harmless, logger_of_command, say, tell
from twin_contracts.authors import AuthorEntry
from twin_contracts.documents import AuthorRef
from twin_contracts.http import CLIENT_ID_PATTERN, DocumentStatus

PATIENCE_SECONDS: Final = 120.0
"""How long the deletion may be on its way before the command leaves it there."""
_RETRY_SECONDS: Final = 0.1


def forget(
    what: Annotated[str, typer.Argument(metavar="ID|AUTHOR", help="A document's id, or an author's name or id.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete a document, or everything by an author."""
    with connected(Settings(), logger_of_command(), say) as client:
        document, author = _document(client, what), _author(client, what)
        if document and author:
            message = f"{what!r} is a document and an author; name the document as {document.document_id}"
            raise CommandError(message)
        if document:
            _confirm(f"delete {_name(document)} by {document.author or 'an unknown author'}?", yes=yes)
            _forget_document(client, document)
        elif author:
            _confirm(f"delete all {author.documents} documents by {author.author.name}?", yes=yes)
            _forget_author(client, author)
        else:
            message = f"there is neither a document nor an author {what!r}; nothing was deleted"
            raise CommandError(message)


def _forget_document(client: Client, document: DocumentStatus) -> None:
    try:
        client.delete(document.document_id)
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:  # somebody else deletes it, too
            raise
    _wait_until(lambda: _document(client, document.document_id) is None)
    tell(f"deleted {_name(document)}, {document.chunks} chunks; nothing of it is found any more")


def _forget_author(client: Client, author: AuthorEntry) -> None:
    deleted = 0

    def is_gone() -> bool:
        nonlocal deleted
        try:
            deleted += client.forget(author.author.id).deleted
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return True
        return False

    _wait_until(is_gone)
    tell(f"deleted {deleted} documents by {author.author.name}; nothing of them is found any more")


def _wait_until(is_gone: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_gone():
        if time.monotonic() > deadline:
            message = "deleted, but not yet gone from the index; `twin status` says what is on its way"
            raise CommandError(message)
        time.sleep(_RETRY_SECONDS)


def _name(document: DocumentStatus) -> str:
    return repr(document.title) if document.title else f"document {document.document_id}"


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(harmless(question), abort=True, err=True)


def _document(client: Client, what: str) -> DocumentStatus | None:
    if not re.fullmatch(CLIENT_ID_PATTERN, what):
        return None
    try:
        return client.document(what)
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _author(client: Client, what: str) -> AuthorEntry | None:
    wanted = AuthorRef.of(what).id
    known = (entry for entry in client.authors().items if entry.documents)
    return next((entry for entry in known if wanted in (entry.author.id, *entry.spellings)), None)
