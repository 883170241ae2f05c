"""`twin keys`: create, list and revoke keys of the REST API."""

import re
from datetime import timedelta
from typing import Annotated, Final

import typer

from twin_cli import show
from twin_cli.connect import connected
from twin_cli.errors import CommandError
from twin_cli.settings import Settings
from twin_cli.terminal import logger_of_command, say, tell
from twin_contracts.keys import KeyInput
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
    expires_at = SystemClock().now() + _duration(expires) if expires else None
    given = KeyInput(name=name, authors=tuple(author) if author else None, expires_at=expires_at)
    with connected(Settings(), logger_of_command(), say) as client:
        made = client.create_key(given)
    say(f"this is the only time that key {name!r} is shown; it sees {show.authors_of(made.authors)}")
    print(made.key)


@app.command(name="list")
def list_() -> None:
    """Show every key there ever was, without its text."""
    with connected(Settings(), logger_of_command(), say) as client:
        print(show.keys(client.keys().items, SystemClock().now()))


@app.command()
def revoke(name: str) -> None:
    """End a key; the next request with it is refused."""
    with connected(Settings(), logger_of_command(), say) as client:
        client.revoke_key(name)
    tell(f"revoked {name!r}")


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        message = f"--expires takes a number with m, h, d or w behind it, like 30d, not {text!r}"
        raise CommandError(message)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
