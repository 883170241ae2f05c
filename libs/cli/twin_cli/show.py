"""What the commands print: plain text that reads well in a terminal and in a pipe."""

import textwrap

from twin_cli.import_documents import Imported
from twin_contracts.chat import ChatCompletion
from twin_contracts.http import SearchResult, SystemStatus

WIDTH = 100


def imported(result: Imported) -> str:
    """Return the last lines of an import."""
    lines = [f"{result.stored} stored, {result.indexed} indexed, {len(result.refused)} refused"]
    lines += [f"  refused: {line}" for line in result.refused]
    return "\n".join(lines)


def answer(completion: ChatCompletion) -> str:
    """Return the answer and its sources."""
    content = completion.choices[0].message.content
    lines = [textwrap.fill(paragraph, WIDTH) for paragraph in content.split("\n") if paragraph.strip()]
    if completion.twin.citations:
        lines.append("")
    for citation in completion.twin.citations:
        where = " > ".join(filter(None, [citation.title, *citation.heading_path]))
        lines.append(f"[{citation.number}] {where or citation.document_id}")
        lines.append(f"    {citation.url or citation.document_id}")
    return "\n".join(lines)


def hits(result: SearchResult) -> str:
    """Return the passages, best first."""
    if not result.hits:
        return "nothing found"
    lines = []
    for number, hit in enumerate(result.hits, start=1):
        where = " > ".join(filter(None, [hit.metadata.title, *hit.heading_path]))
        lines.append(f"{number}. {where or hit.document_id}  (similarity {hit.similarity:.2f})")
        lines.append(textwrap.indent(textwrap.shorten(hit.text, 3 * WIDTH, placeholder=" …"), "   "))
        lines.append(f"   {hit.metadata.url or hit.document_id}")
    return "\n".join(lines)


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
            f"{system.waiting} events waiting, {system.reemissions} re-emissions running"
        ),
    ]
    if system.seconds_to_searchable is not None:
        lines.append(
            f"freshness  {system.seconds_to_searchable * 1000:.0f} ms from commit to searchable, last live change"
        )
    lines += [
        f"service    {component.name}: {component.state}" + (f" ({component.detail})" if component.detail else "")
        for component in system.components
    ]
    return "\n".join(lines)
