"""The `twin` command."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from twin_cli import author, crawl, demo, doctor, draft, forget, keys, parked, repair, show, style
from twin_cli.asked import answered
from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.errors import InputUnreadable
from twin_cli.follow import Follower
from twin_cli.import_documents import Imported, import_documents
from twin_cli.inputs import Input, read_inputs
from twin_cli.settings import Settings
from twin_cli.terminal import logger_of_command, logger_of_up, print_anything, say, saying, width
from twin_cli.up import run_child, run_parent
from twin_contracts.documents import AuthorRef
from twin_contracts.http import SearchFilters
from twin_platform.errors import PlatformError

app = typer.Typer(
    help="An AI that writes like you, from what you have already written.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(author.app, name="author")
app.add_typer(keys.app, name="keys")
app.add_typer(parked.app, name="parked")
app.command(name="forget")(forget.forget)
app.command(name="crawl")(crawl.crawl)
app.command(name="demo")(demo.demo)
app.command(name="doctor")(doctor.doctor)
app.command(name="draft")(draft.draft)
app.command(name="audit")(repair.audit)
app.command(name="optimize")(repair.optimize)
app.command(name="resync")(repair.resync)
app.command(name="sources")(crawl.sources)
app.command(name="style")(style.style)
Author = Annotated[str | None, typer.Option(help="Answer from this author's texts only: a name or an author id.")]


@app.command()
def up(*, child: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Run the whole system here until Ctrl-C."""
    settings, logger = Settings(), logger_of_up()
    raise typer.Exit(run_child(settings, logger) if child else run_parent(logger))


@app.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="JSON files, folders, or Markdown, HTML and text files.")],
    author: Annotated[str | None, typer.Option(help="Whose texts these are; overrides what they say.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help=crawl.FOLLOW)] = False,
    ask: Annotated[str | None, typer.Option(help=crawl.ASK)] = None,
) -> None:
    """Store documents and wait until they are searchable."""
    inputs = list(read_inputs(files, author))
    if not inputs:
        raise InputUnreadable(", ".join(map(str, files)), "no Markdown, HTML or text file is in it")
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with connected(Settings(), logger_of_command(), saying(console)) as client:
        follower = Follower(client) if follow else None
        result = _imported(inputs, client, Progress(*columns, console=console, disable=follow), follower)
        print(show.imported(result), flush=True)
        complete = answered(client, ask, follower) and not result.refused
    raise typer.Exit(0 if complete else 1)


@app.command()
def ask(question: str, author: Author = None) -> None:
    """Answer a question from your texts, with citations."""
    with connected(Settings(), logger_of_command(), say) as client:
        completion = client.ask(question, _of(author))
        print(show.answer(completion, width()))
        if not completion.twin.answered:
            _explain(client)


@app.command()
def search(query: str, author: Author = None, limit: Annotated[int, typer.Option(min=1, max=100)] = 5) -> None:
    """Show the passages nearest to a query."""
    with connected(Settings(), logger_of_command(), say) as client:
        result = client.search(query, limit, _of(author))
        print(show.hits(result, width()))
        if not result.hits:
            _explain(client)


@app.command()
def status() -> None:
    """Show counts, lag, what was rejected or parked."""
    with connected(Settings(), logger_of_command(), say) as client:
        print(show.status(client.status()))


def main() -> None:
    """Run the command; an error is one sentence that says what to do, and exit status 1."""
    print_anything()
    try:
        app()
    except ValidationError as error:
        say("\n".join(map(_problem, error.errors())))
        sys.exit(1)
    except PlatformError as error:
        say(str(error))
        sys.exit(1)


def _imported(inputs: list[Input], client: Client, bars: Progress, follower: Follower | None) -> Imported:
    with bars:
        storing = bars.add_task("stored", total=len(inputs))
        indexing = bars.add_task("indexed", total=len(inputs))
        try:
            return import_documents(
                inputs,
                client,
                lambda _: bars.advance(storing),
                lambda _: bars.advance(indexing),
                saying(bars.console),
                follower,
            )
        except KeyboardInterrupt:
            bars.stop()
            say("interrupted; what is stored stays, and repeating the command takes up where this one stopped")
            raise


def _explain(client: Client) -> None:
    why = show.why_nothing(client.status())
    if why:
        say(why)


def _problem(item: ErrorDetails) -> str:
    return f"{'.'.join(map(str, item['loc']))}: {item['msg']}, got {item['input']!r}"


def _of(author: str | None) -> SearchFilters:
    return SearchFilters(author=AuthorRef.of(author).id if author else None)


if __name__ == "__main__":
    main()
