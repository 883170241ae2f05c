"""`twin style`: an author's measurable habits."""

from typing import Annotated

import typer

from twin_cli import show
from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.errors import CommandError
from twin_cli.settings import Settings
from twin_cli.terminal import logger_of_command, say, width
from twin_contracts.base import AuthorId
from twin_contracts.documents import AuthorRef
from twin_contracts.style import StyleCard

_COLUMN = 20


def style(
    author: Annotated[str | None, typer.Option(help="Whose: a name or an author id; the owner's by default.")] = None,
) -> None:
    """Show how an author writes: habits with their figures, and where they show."""
    with connected(Settings(), logger_of_command(), say) as client:
        print(card(client.style(AuthorRef.of(author).id if author else _owner(client)), width()))


def card(computed: StyleCard, columns: int | None) -> str:
    """Return the card: a line for each habit, its examples below."""
    texts = "1 text" if computed.documents == 1 else f"{computed.documents} texts"
    lines = [f"{computed.author.name}, from {computed.words:,} words of prose in {texts}"]
    for habit in computed.habits:
        lines += ["", f"{habit.name:<{_COLUMN}}{habit.says}"]
        lines += [show.wrapped(" ".join(example.split()), columns, indent="  > ") for example in habit.examples]
    return show.joined(lines)


def _owner(client: Client) -> AuthorId:
    for entry in client.authors().items:
        if entry.owner:
            return entry.author.id
    message = "this key does not see the owner's texts; say whose with --author, as `twin author list` shows them"
    raise CommandError(message)
