"""`twin author`: whose texts these are."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from twin_cli import show
from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.settings import Settings
from twin_cli.terminal import logger_of_command, say, tell
from twin_contracts.authors import AuthorList, Merged

app = typer.Typer(help="Whose texts these are: the owner, and spellings of one author.", no_args_is_help=True)


@app.command(name="set")
def set_(name: str) -> None:
    """Say who owns this installation: texts without an author are theirs; style, drafts and `twin` mean them."""
    with connected(Settings(), logger_of_command(), say) as client:
        before = [entry for entry in client.authors().items if entry.owner and entry.documents]
        owner = client.set_owner(name)
    tell(f"{owner.name} ({owner.id}) owns this installation")
    for entry in before:
        if entry.author.id != owner.id:
            say(
                f"documents that stay with {entry.author.name!r}: {entry.documents:,}; if that is the same person: "
                f"twin author merge {entry.author.id} {owner.id}"
            )


@app.command(name="list")
def list_() -> None:
    """Show everybody with a document, and the owner."""
    with connected(Settings(), logger_of_command(), say) as client:
        print(listed(client.authors()))


@app.command()
def merge(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A name or an author id.")],
    target: Annotated[str, typer.Argument(metavar="INTO", help="A name or an author id.")],
) -> None:
    """Join two spellings: what is FROM's becomes INTO's, and what arrives as FROM later, too."""
    with connected(Settings(), logger_of_command(), say) as client, Progress(console=Console(stderr=True)) as bars:
        merged, moved = _merged(client, source, target, bars)
    tell(f"documents moved to {merged.author.name!r}: {moved:,}; what arrives as {source!r} is theirs from now on")
    if merged.left:
        say(f"documents that somebody else changes just now: {merged.left:,}; repeat the command to move them")


def listed(authors: AuthorList) -> str:
    """Return a line for each author: documents, name, id, who is the owner, spellings that were merged."""
    lines = []
    for entry in authors.items:
        notes = [entry.author.id, *(["owner"] if entry.owner else [])]
        notes += [f"also {', '.join(entry.spellings)}"] if entry.spellings else []
        lines.append(f"{entry.documents:>7,}  {entry.author.name} ({'; '.join(notes)})")
    return show.joined(lines)


def _merged(client: Client, source: str, target: str, bars: Progress) -> tuple[Merged, int]:
    merged = client.merge(source, target)
    moved = merged.moved
    task = bars.add_task("moved", total=moved + merged.left, completed=moved)
    while merged.left and merged.moved:
        merged = client.merge(source, target)
        moved += merged.moved
        bars.update(task, completed=moved)
    return merged, moved
