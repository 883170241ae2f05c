"""`twin keys`: create, list and revoke keys of the REST API."""

import re
from datetime import timedelta
from typing import Annotated, Final

import typer

from twin_cli import show
from twin_cli.connect import own_records
from twin_cli.errors import CommandError
from twin_cli.settings import Settings
from twin_cli.terminal import say, tell
from twin_contracts.documents import AuthorRef
from twin_platform.records.keys import all_keys, create_key, revoke_key
from twin_platform.telemetry.clock import SystemClock

app = typer.Typer(help="Keys by which other programs use this installation's REST API.", no_args_is_help=True)

_DURATION = re.compile(r"([0-9]{1,5})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@app.command()
def create(
    name: str,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Whose documents the key sees: a name or an author id; several times for several."),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 30d, 12h, 90m or 4w from now.")] = None,
) -> None:
    """Make a key and print it, once: it is stored hashed."""
    now = SystemClock().now()
    authors = tuple(AuthorRef.of(one).id for one in author) if author else None
    expires_at = now + _duration(expires) if expires else None
    with own_records(Settings(), "twin keys") as records:
        text = create_key(records, name, now, authors, expires_at)
    say(f"this is the only time that key {name!r} is shown; it sees {show.authors_of(authors)}")
    print(text)


@app.command(name="list")
def list_() -> None:
    """Show every key there ever was, without its text."""
    with own_records(Settings(), "twin keys") as records:
        print(show.keys(all_keys(records), SystemClock().now()))


@app.command()
def revoke(name: str) -> None:
    """End a key; the next request with it is refused."""
    with own_records(Settings(), "twin keys") as records:
        revoke_key(records, name, SystemClock().now())
    tell(f"revoked {name!r}")


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        message = f"--expires takes a number with m, h, d or w behind it, like 30d, not {text!r}"
        raise CommandError(message)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
