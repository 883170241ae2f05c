"""The `twin` command."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from twin_cli import show
from twin_cli.connect import connected
from twin_cli.data_folder import DataFolder
from twin_cli.errors import CommandError, InputUnreadable
from twin_cli.import_documents import import_documents
from twin_cli.inputs import read_inputs
from twin_cli.settings import Settings
from twin_cli.up import run_child, run_parent
from twin_contracts.http import SearchFilters
from twin_platform.errors import PlatformError
from twin_platform.records.open import open_record_store
from twin_platform.records.reemissions import ask_reemission
from twin_platform.telemetry.clock import SystemClock
from twin_platform.telemetry.logs import JsonLogger, Logger

app = typer.Typer(
    help="An AI that writes like you, from what you have already written.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Author = Annotated[str | None, typer.Option(help="Author id to keep to.")]


@app.command()
def up(*, child: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Run the whole system here until Ctrl-C."""
    logger = JsonLogger("twin")
    raise typer.Exit(run_child(Settings(), logger) if child else run_parent(logger))


@app.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="JSON files, folders, or Markdown, HTML and text files.")],
    author: Annotated[str | None, typer.Option(help="Whose texts these are; overrides what they say.")] = None,
) -> None:
    """Store documents and wait until they are searchable."""
    inputs = list(read_inputs(files, author))
    if not inputs:
        raise InputUnreadable(", ".join(map(str, files)), "no Markdown, HTML or text file is in it")
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=_console()
    )
    with connected(Settings(), _quiet(), _say) as client, bars:
        storing = bars.add_task("stored", total=len(inputs))
        indexing = bars.add_task("indexed", total=len(inputs))
        result = import_documents(inputs, client, lambda _: bars.advance(storing), lambda _: bars.advance(indexing))
    print(show.imported(result))
    raise typer.Exit(1 if result.refused else 0)


@app.command()
def ask(question: str, author: Author = None) -> None:
    """Answer a question from your texts, with citations."""
    with connected(Settings(), _quiet(), _say) as client:
        print(show.answer(client.ask(question, SearchFilters(author=author))))


@app.command()
def search(query: str, author: Author = None, limit: Annotated[int, typer.Option(min=1, max=100)] = 5) -> None:
    """Show the passages nearest to a query."""
    with connected(Settings(), _quiet(), _say) as client:
        print(show.hits(client.search(query, limit, SearchFilters(author=author))))


@app.command()
def status() -> None:
    """Show counts, lag, what was rejected or parked."""
    with connected(Settings(), _quiet(), _say) as client:
        print(show.status(client.status()))


@app.command()
def resync(
    ids: Annotated[list[str] | None, typer.Argument(help="Document ids; without one, everything.")] = None,
) -> None:
    """Send documents through the pipeline again: after a changed handler, or to repair a store."""
    settings = Settings()
    if settings.twin_url is not None:
        message = "resync works on the data folder of this machine; unset TWIN_URL"
        raise CommandError(message)
    folder = DataFolder(settings.data)
    if folder.key is None:
        message = f"there is no system in {str(folder.path)!r} yet; `twin up` makes one"
        raise CommandError(message)
    with open_record_store(f"sqlite://{folder.path}/records.db") as records:
        ask_reemission(records, SystemClock(), "twin resync", tuple(ids) if ids else None)
    running = folder.owner() is not None
    print(
        "asked for; `twin status` shows when it is done" if running else "asked for; it begins with the next `twin up`"
    )


def main() -> None:
    """Run the command; an error is one sentence that says what to do, and exit status 1."""
    try:
        app()
    except ValidationError as error:
        _say("\n".join(f"{_variable(item['loc'])}: {item['msg']}, got {item['input']!r}" for item in error.errors()))
        sys.exit(1)
    except PlatformError as error:
        _say(str(error))
        sys.exit(1)


def _variable(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location).upper()


def _console() -> Console:
    return Console(stderr=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _quiet() -> Logger:
    """Return the logger of a short command: its own lines would bury the answer, unless asked for."""
    if os.environ.get("TWIN_LOGS"):
        return JsonLogger("twin")
    return _NoLogger()


class _NoLogger:
    def event(self, name: str, **fields: str | float | None) -> None:
        """Say nothing."""


if __name__ == "__main__":
    main()
