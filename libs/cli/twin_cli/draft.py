"""`twin draft`: a text in an author's voice."""

import re
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from twin_cli import show
from twin_cli.connect import connected
from twin_cli.errors import OutlineUnreadable
from twin_cli.settings import Settings
from twin_cli.terminal import logger_of_command, say, width
from twin_contracts.documents import AuthorRef
from twin_contracts.drafts import DraftRequest, DraftResult

_MARKER = re.compile(r"\s*(?:#+|[-*+•]|\d+[.)])\s+")
_BESIDE: Final = 100
"""Columns from which two drafts stand beside each other."""
_BETWEEN: Final = " │ "


def draft(
    topic: str,
    *,
    outline: Annotated[Path | None, typer.Option(help="A file with a point a line to go through.")] = None,
    length: Annotated[int, typer.Option(min=50, max=3000, help="Words, about.")] = 400,
    audience: Annotated[str | None, typer.Option(help="For whom it is.")] = None,
    author: Annotated[str | None, typer.Option(help="Whose voice and facts: a name or an author id.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Beside it, the same without the author's style.")] = False,
) -> None:
    """Draft a text in your voice, its facts cited; without a language model, an outline with passages."""
    request = DraftRequest(
        topic=topic,
        outline=points_of(outline) if outline else (),
        length=length,
        audience=audience,
        author=AuthorRef.of(author).id if author else None,
    )
    with connected(Settings(), logger_of_command(), say) as client, Console(stderr=True).status("writing"):
        written = client.draft(request)
        plain = None
        if compare and written.kind == "draft":
            plain = client.draft(request.model_copy(update={"voice": "plain"}))
    print(beside(written, plain, width()) if plain else shown(written, width()))
    for note in written.notes:
        if note not in written.text:  # an outline begins with why it is one
            say(note)
    if compare and plain is None:
        say("--compare is left out: there is nothing to compare without a language model")


def points_of(path: Path) -> tuple[str, ...]:
    """Return an outline's points: the file's lines without bullets, numbers and heading marks.

    Raises:
        OutlineUnreadable: it cannot be read, or has no point in it.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise OutlineUnreadable(str(path), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise OutlineUnreadable(str(path), f"it is not UTF-8 at byte {error.start:,}") from error
    points = [_MARKER.sub("", line, count=1).strip() for line in text.splitlines()]
    found = tuple(point for point in points if point)
    if not found:
        raise OutlineUnreadable(str(path), "there is no line in it")
    return found


def shown(written: DraftResult, columns: int | None) -> str:
    """Return the text and its sources."""
    return show.joined([*_lines(written.text, columns), *_sources(written)])


def beside(written: DraftResult, plain: DraftResult, columns: int | None) -> str:
    """Return both texts: in two columns where there is room, else one below the other; then each one's sources."""
    titles = f"as {written.author.name}", "without their style"
    texts = written.text, plain.text
    if columns is None or columns < _BESIDE:
        blocks = [[f"== {title} ==", "", *_lines(text, columns), ""] for title, text in zip(titles, texts, strict=True)]
        lines = [line for block in blocks for line in block]
    else:
        half = (columns - len(_BETWEEN)) // 2
        left, right = ([title, "", *_lines(text, half)] for title, text in zip(titles, texts, strict=True))
        lines = [f"{a:<{half}}{_BETWEEN}{b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")]
    for title, result in zip(titles, (written, plain), strict=True):
        lines += ["", f"Sources {title}:", *_sources(result)[1:]] if result.citations else []
    return show.joined(lines)


def _lines(text: str, columns: int | None) -> list[str]:
    return [piece for line in text.splitlines() for piece in show.wrapped(line, columns).split("\n")]


def _sources(written: DraftResult) -> list[str]:
    lines = [""] if written.citations else []
    for citation in written.citations:
        where = show.place(citation.title, citation.heading_path) or citation.document_id
        lines += [f"[{citation.number}] {where}", f"    {citation.url or citation.document_id}"]
    return lines
