"""`twin crawl` and `twin sources`: read links, wait until they are searchable; list where documents came from."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from twin_cli.asked import answered
from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.errors import Refused
from twin_cli.follow import LOOK_SECONDS, Follower
from twin_cli.import_documents import NOT_ABOUT_ONE_DOCUMENT, wait_until_indexed
from twin_cli.inputs import Input
from twin_cli.local import PLATFORM, is_repository, path_of, read_folder, read_repository
from twin_cli.settings import Settings
from twin_cli.show import joined
from twin_cli.terminal import logger_of_command, say, saying
from twin_contracts.base import DocumentId
from twin_contracts.crawl import MAX_LINKS, CrawledSource, CrawlRequest, CrawlState, LinkKind, LinkOutcome
from twin_contracts.documents import AuthorRef
from twin_contracts.http import DocumentState
from twin_crawler.errors import CrawlError
from twin_crawler.ports import Note

POLL_SECONDS: Final = 0.3
FOLLOW: Final = "Show each document's way: when it was stored, captured and indexed, or why not."
ASK: Final = "A question that the texts answer then; with --follow alone, the first one's title is searched for in it."
_SHOWN: Final = 20
"""Refusals of one link that are shown; their number says how many there are."""


@dataclass
class Read:
    """What became of one argument."""

    name: str
    stored: int = 0
    unchanged: int = 0
    deleted: int = 0
    refused: list[str] = field(default_factory=list)
    more_refused: int = 0
    """Beside those that are listed."""
    note: str | None = None
    reason: str | None = None
    documents: list[DocumentId] = field(default_factory=list)


@dataclass(frozen=True)
class Bars:
    """Progress of reading and of indexing, and each document's own where somebody follows them."""

    progress: Progress
    follower: Follower | None = None

    def reading(self, done: int, total: int, stored: Sequence[DocumentId] = ()) -> None:
        """Show how many documents have been read, of how many that are known of; `stored` are those that are new."""
        self._show("read", done, total)
        if self.follower is not None:
            self.follower.look(stored)

    def indexing(self, done: int, total: int) -> None:
        """Show how many of the stored ones are searchable."""
        self._show("indexed", done, total)

    def _show(self, what: str, done: int, total: int) -> None:
        task = next((task.id for task in self.progress.tasks if task.description == what), None)
        self.progress.update(self.progress.add_task(what) if task is None else task, completed=done, total=total)


def crawl(
    links: Annotated[list[str], typer.Argument(help="Pages, feeds, Git repositories by link; folders by path.")],
    author: Annotated[str | None, typer.Option(help="Whose texts these are.")] = None,
    kind: Annotated[LinkKind, typer.Option(help="What the links are read as.")] = LinkKind.AUTO,
    *,
    follow: Annotated[bool, typer.Option("--follow", help=FOLLOW)] = False,
    ask: Annotated[str | None, typer.Option(help=ASK)] = None,
) -> None:
    """Read links, folders and repositories, and wait until their documents are searchable."""
    remote = [link for link in links if is_remote(link)]
    local = [path_of(link) for link in links if not is_remote(link)]
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with connected(Settings(), logger_of_command(), saying(console)) as client:
        follower = Follower(client) if follow else None
        with Progress(*columns, console=console, disable=follow) as progress:
            bars = Bars(progress, follower)
            results = [*crawl_remote(client, remote, author, kind, bars)]
            results += [crawl_local(client, path, author, bars) for path in local]
            failed = await_indexed(client, results, bars, saying(console))
        print(joined([*(line for result in results for line in lines_of(result)), *failed]), flush=True)
        complete = not failed and not any(result.reason or result.refused for result in results)
        complete &= answered(client, ask, follower)
    raise typer.Exit(0 if complete else 1)


def sources() -> None:
    """List the links that documents came from."""
    with connected(Settings(), logger_of_command(), say) as client:
        page = client.sources()
        if not page.items:
            say("nothing was crawled yet; `twin crawl LINK…` reads pages, feeds and Git repositories")
        while page.items:
            print(joined(_source_line(source) for source in page.items))
            if page.next is None:
                break
            page = client.sources(page.next)


def crawl_remote(
    client: Client,
    links: list[str],
    author: str | None,
    kind: LinkKind,
    bars: Bars,
    wait: Callable[[float], None] = time.sleep,
) -> list[Read]:
    """Have the system crawl links, and watch it; what was asked for goes on when this is interrupted."""
    results: list[Read] = []
    for first in range(0, len(links), MAX_LINKS):
        request = CrawlRequest(links=tuple(links[first : first + MAX_LINKS]), author=author, kind=kind)
        job = client.crawl(request)
        try:
            while job.state is not CrawlState.FINISHED:
                wait(POLL_SECONDS if bars.follower is None else LOOK_SECONDS)
                job = client.crawl_job(job.id)
                done = sum(link.stored + link.unchanged + link.refused for link in job.links)
                stored = [document_id for link in job.links for document_id in link.documents]
                bars.reading(done, sum(link.expected or 1 for link in job.links), stored)
        except KeyboardInterrupt:
            say(f"interrupted; crawl {job.id} goes on where `twin up` runs")
            raise
        results += map(_read_of, job.links)
    return results


def crawl_local(client: Client, path: Path, author: str | None, bars: Bars) -> Read:
    """Read a repository or a folder of this machine and store what is in it; repeating it is harmless."""
    result = Read(str(path))
    seen: set[DocumentId] = set()
    repository = is_repository(path)
    whole = False
    try:
        with closing(read_repository(path, author) if repository else read_folder(path, author)) as items:
            for item in items:
                if isinstance(item, Input):
                    _store(client, item, result, seen)
                    done = len(seen) + len(result.refused)
                    bars.reading(done, done, result.documents[-1:])
                elif isinstance(item, Note):
                    result.note = item.text
                else:
                    whole = item.whole
    except CrawlError as error:
        result.reason = str(error)
        return result
    if whole:
        whose = AuthorRef.of(author or path.name).id
        for document in [*client.documents(whose)]:
            below = (document.url or "").startswith(path.as_uri() + "/")
            if below and document.platform == PLATFORM and document.document_id not in seen:  # `twin import` put others
                client.delete(document.document_id)
                result.deleted += 1
    return result


def await_indexed(client: Client, results: list[Read], bars: Bars, trouble: Callable[[str], None]) -> list[str]:
    """Wait until what was stored is searchable; return a line for each document that will not be."""
    if bars.follower is not None:
        bars.follower.until_arrived(trouble)
    ids = [document_id for result in results for document_id in result.documents]
    failed: list[str] = []
    for number, document_id in enumerate(ids, start=1):
        reason = wait_until_indexed(document_id, client, trouble)
        if reason is not None:
            failed.append(f"not indexed: {document_id}: {reason}")
        bars.indexing(number, len(ids))
    if sum(result.stored for result in results) > len(ids):  # a link lists its first thousand only
        while not ((status := client.status()).captured and status.waiting == 0):
            time.sleep(POLL_SECONDS)
    return failed


def lines_of(result: Read) -> list[str]:
    """Return the one line of a link, and below it what was refused."""
    if result.reason is not None and not (result.stored or result.unchanged):
        return [f"{result.name}: refused because {result.reason}"]
    deleted = f", deleted {result.deleted}" if result.deleted else ""
    refused = len(result.refused) + result.more_refused
    lines = [f"{result.name}: stored {result.stored}, unchanged {result.unchanged}{deleted}"]
    lines[0] += f", refused {refused}" if refused else ""
    lines += [f"  {text}" for text in (result.note, result.reason) if text]
    lines += [f"  refused: {line}" for line in result.refused[:_SHOWN]]
    return lines + ([f"  and {refused - _SHOWN} more"] if refused > _SHOWN else [])


def is_remote(link: str) -> bool:
    """Return whether an argument is a link of the web, which the system reads, not the command."""
    return link.lower().startswith(("http://", "https://"))


def _read_of(outcome: LinkOutcome) -> Read:
    return Read(
        name=outcome.link,
        stored=outcome.stored,
        unchanged=outcome.unchanged,
        deleted=outcome.deleted,
        refused=[f"{refusal.what}: {refusal.reason}" for refusal in outcome.refusals],
        more_refused=outcome.refused - len(outcome.refusals),
        note=outcome.note,
        reason=outcome.reason,
        documents=list(outcome.documents),
    )


def _store(client: Client, item: Input, result: Read, seen: set[DocumentId]) -> None:
    if item.document_id is None or item.document is None:
        result.refused.append(f"{item.name}: {item.refused}")
        return
    seen.add(item.document_id)
    try:
        status = client.put(item.document_id, item.document)
    except Refused as error:
        if error.status in NOT_ABOUT_ONE_DOCUMENT:
            raise
        result.refused.append(f"{item.name}: {error.detail}")
        return
    if status.status is DocumentState.PENDING:
        result.stored += 1
        result.documents.append(item.document_id)
    else:
        result.unchanged += 1


def _source_line(source: CrawledSource) -> str:
    whose = f", by {source.author.name}" if source.author else ""
    gone = f", gone since {source.gone_since:%Y-%m-%d}" if source.gone_since else ""
    count = "1 document" if source.documents == 1 else f"{source.documents} documents"
    return f"{source.url}  ({source.kind}, {count}{whose}, read {source.crawled_at:%Y-%m-%d %H:%M}{gone})"
