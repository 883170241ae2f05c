"""What the commands print: plain text that reads well in a terminal and in a pipe."""

import textwrap
from collections.abc import Iterable
from datetime import datetime

from twin_cli.import_documents import Imported
from twin_cli.terminal import harmless
from twin_contracts.chat import EXTRACTIVE, ChatCompletion, Citation
from twin_contracts.http import SearchResult, SystemStatus
from twin_contracts.keys import KeyEntry

EXCERPT = 300
"""Most characters of a passage that a list of hits shows."""


def imported(result: Imported) -> str:
    """Return the last lines of an import."""
    lines = [f"{result.stored} stored, {result.indexed} indexed, {len(result.refused)} refused"]
    lines += [f"  refused: {line}" for line in result.refused]
    return joined(lines)


def answer(completion: ChatCompletion, width: int | None) -> str:
    """Return the answer and its sources.

    Args:
        width: columns to wrap at; None leaves a line as long as it is, as who reads a pipe wants it.
    """
    content = completion.choices[0].message.content
    if completion.twin.answered_by == EXTRACTIVE:  # a line's end inside a quote is the document's, not the answer's
        content = "\n".join(" ".join(line.strip() for line in quote.split("\n")) for quote in content.split("\n\n"))
    lines = [wrapped(paragraph, width) for paragraph in content.split("\n") if paragraph.strip()]
    if completion.twin.citations:
        lines.append("")
    for (where, address), marks in _places(completion.twin.citations).items():
        lines += [f"{marks} {where}", f"    {address}"]
    lines += [f"(done without: {skipped})" for skipped in completion.twin.skipped]
    return joined(lines)


def _places(citations: Iterable[Citation]) -> dict[tuple[str, str], str]:
    """Return the marks of each cited place, every place once."""
    marks: dict[tuple[str, str], str] = {}
    for one in citations:
        key = place(one.title, one.heading_path) or one.document_id, one.url or one.document_id
        marks[key] = marks.get(key, "") + f"[{one.number}]"
    return marks


def hits(result: SearchResult, width: int | None) -> str:
    """Return the passages, best first."""
    if not result.hits:
        return "nothing found"
    lines = []
    for number, hit in enumerate(result.hits, start=1):
        where = place(hit.metadata.title, hit.heading_path) or hit.document_id
        lines.append(f"{number}. {where}  (similarity {hit.similarity:.2f})")
        lines.append(wrapped(_excerpt(hit.text), width, indent="   "))
        lines.append(f"   {hit.metadata.url or hit.document_id}")
    return joined(lines)


def status(system: SystemStatus) -> str:
    """Return counts, lag and the services' states."""
    counts = system.counts
    pending = max(0, counts.stored - counts.indexed - counts.rejected - counts.parked)
    lines = [
        (
            f"documents  {counts.stored} stored, {counts.indexed} indexed, {pending} on their way, "
            f"{counts.rejected} rejected, {counts.parked} parked"
        ),
        f"chunks     {counts.chunks}, embedded by {system.embedding}",
        (
            f"lag        {'all changes captured' if system.captured else 'changes not yet captured'}, "
            f"events waiting: {'unknown' if system.waiting is None else system.waiting}, "
            f"re-emissions running: {system.reemissions}"
        ),
    ]
    if system.seconds_to_searchable is not None:
        lines.append(f"freshness  last change searchable {_duration(system.seconds_to_searchable)} after its commit")
    lines += [
        f"service    {component.name}: {component.state}" + (f" ({component.detail})" if component.detail else "")
        for component in system.components
    ]
    return joined(lines)


def keys(known: Iterable[KeyEntry], now: datetime) -> str:
    """Return a line per key: its name, what became of it, and what it sees."""
    lines = [f"{key.name}  {_state(key, now)}  sees {authors_of(key.authors)}" for key in known]
    return joined(lines or ["there are no keys; `twin keys create NAME` makes one"])


def authors_of(authors: Iterable[str] | None) -> str:
    """Return whose documents a key sees, in words."""
    return "everything" if authors is None else f"what is by {', '.join(authors)}"


def _state(key: KeyEntry, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return f"valid since {key.created_at:%Y-%m-%d}"
    return f"{'expired' if key.is_expired(now) else 'valid until'} {key.expires_at:%Y-%m-%d %H:%M} UTC"


def why_nothing(system: SystemStatus) -> str | None:
    """Return why there is no answer where it is not the question's fault, None where it is."""
    counts = system.counts
    if counts.stored == 0:
        return "nothing is stored yet; `twin import` takes files and folders"
    if counts.indexed == 0:
        return f"none of {counts.stored} stored documents is indexed yet; `twin status` shows how far they are"
    return None


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _excerpt(text: str) -> str:
    """Return the beginning, cut between words where there are any."""
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT else text[: EXCERPT + 1].rsplit(" ", 1)[0][:EXCERPT] + " …"


def place(title: str | None, heading_path: Iterable[str]) -> str:
    """Return title and headings, the title once where it is the first heading, too."""
    path = list(heading_path)
    return " > ".join([title, *path] if title and path[:1] != [title] else path)


def wrapped(paragraph: str, width: int | None, indent: str = "") -> str:
    """Return the paragraph in lines of at most `width` columns; None leaves it as long as it is."""
    if width is None:
        return indent + paragraph
    return textwrap.fill(
        paragraph,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def joined(lines: Iterable[str]) -> str:
    """Return the lines as one text that cannot steer the terminal."""
    return harmless("\n".join(lines))
