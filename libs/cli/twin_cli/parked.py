"""`twin parked`: what did not get through, why, and another try."""

import base64
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.errors import CommandError, Refused
from twin_cli.repair import tried_again
from twin_cli.settings import Settings
from twin_cli.show import joined
from twin_cli.terminal import logger_of_command, say, tell
from twin_contracts.http import DocumentState, DocumentStatus
from twin_contracts.repair import ParkedPage, UnreadableDetail, UnreadableEntry

app = typer.Typer(help="What did not get through the pipeline, and why.", no_args_is_help=True)

_SHOWN_BYTES: Final = 1000
_NOT_FOUND: Final = 404


@app.command(name="list")
def list_() -> None:
    """List what was parked or rejected, newest first, with its reason."""
    with connected(Settings(), logger_of_command(), say) as client:
        nothing = True
        for page in _pages(client):
            lines = [*map(_line, page.items), *map(_unreadable_line, page.unreadable)]
            nothing = nothing and not lines
            if lines:
                tell(joined(lines))
        if nothing:
            say("nothing is parked or rejected")


@app.command()
def show(item_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show everything about one of them, and where the raw document is."""
    with connected(Settings(), logger_of_command(), say) as client:
        found = _found(client, item_id)
    tell(joined(_unreadable(found) if isinstance(found, UnreadableDetail) else _document(found)))


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is parked; the rejected by their ids.")] = False,
) -> None:
    """Try documents again, wait, and say what became of them. The exit status is 1 where one is not indexed."""
    if bool(ids) == all_:
        message = "name documents to try again, or give --all; `twin parked list` shows them"
        raise CommandError(message)
    with connected(Settings(), logger_of_command(), say) as client:
        wanted = ids or _parked(client)
        if not wanted:
            tell("nothing is parked")
            return
        indexed = tried_again(client, wanted)
    raise typer.Exit(0 if indexed else 1)


def _pages(client: Client) -> Iterator[ParkedPage]:
    page = client.parked()
    yield page
    while page.next is not None:
        page = client.parked(page.next)
        yield page


def _parked(client: Client) -> list[str]:
    return [item.document_id for page in _pages(client) for item in page.items if item.status is DocumentState.PARKED]


def _found(client: Client, item_id: str) -> DocumentStatus | UnreadableDetail:
    try:
        return client.document(item_id)
    except Refused as error:
        if error.status != _NOT_FOUND:
            raise
    try:
        return client.unreadable(item_id)
    except Refused as error:
        message = f"there is nothing {item_id!r}; `twin parked list` shows what did not get through"
        raise CommandError(message) from error


def _line(item: DocumentStatus) -> str:
    where = " · ".join(part for part in (item.title, item.url) if part)
    return f"{item.status:<10}  {item.document_id}  {where}\n            {item.stage}: {item.reason}"


def _unreadable_line(entry: UnreadableEntry) -> str:
    return f"unreadable  {entry.id}  {entry.size:,} bytes, {entry.received_at:%Y-%m-%d %H:%M}, from {entry.queue}"


def _document(item: DocumentStatus) -> Iterator[str]:
    told = {
        "id": item.document_id,
        "status": item.status,
        "stage": item.stage,
        "reason": item.reason,
        "title": item.title,
        "author": item.author,
        "type": item.type,
        "platform": item.platform,
        "source": item.url,
        "stored": f"{item.committed_at:%Y-%m-%d %H:%M:%S} UTC" if item.committed_at else None,
        "content": item.content_hash,
    }
    yield from (f"{name:<9} {value}" for name, value in told.items() if value is not None)
    if item.content_hash is None:
        yield f"{'raw':<9} in the document store under this id, as it came: it is no document that can be read"
    else:
        yield f"{'raw':<9} in the document store under this id; `twin parked replay {item.document_id}` tries it again"


def _unreadable(message: UnreadableDetail) -> Iterator[str]:
    body = base64.b64decode(message.body_base64)
    yield f"id        {message.id}"
    yield "status    unreadable: a message that cannot be decoded and names no document; nothing else of it is known"
    yield f"received  {message.received_at:%Y-%m-%d %H:%M:%S} UTC, from {message.queue}"
    yield f"bytes     {message.size:,}; they begin {body[:_SHOWN_BYTES]!r}"
    yield f"raw       in base64 at /v1/unreadable/{message.id}; `twin resync` brings whatever document it was about"
