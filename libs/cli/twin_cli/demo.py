"""`twin demo`: the whole chain in front of its reader, over a data folder of its own."""

import shlex
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from twin_cli import draft, show, style
from twin_cli.client import Client
from twin_cli.connect import connected
from twin_cli.crawl import Bars, await_indexed, crawl_local, crawl_remote, is_remote, lines_of
from twin_cli.data_folder import DataFolder
from twin_cli.demo_texts import CLONE, REAL_QUESTION, SAMPLE_AUTHOR, TOPIC, Story, own_inputs, own_story, stories
from twin_cli.errors import CommandError, FolderTaken, Refused
from twin_cli.import_documents import import_documents, wait_until_indexed
from twin_cli.local import path_of
from twin_cli.settings import Settings
from twin_cli.terminal import logger_of_command, say, width
from twin_contracts.base import DocumentId
from twin_contracts.chat import ChatCompletion
from twin_contracts.crawl import LinkKind
from twin_contracts.documents import Raw
from twin_contracts.drafts import DraftRequest
from twin_contracts.http import SearchFilters
from twin_platform.documents.open import open_document_store
from twin_platform.documents.port import DocumentStore
from twin_platform.telemetry.clock import SystemClock

FOLDER: Final = CLONE / ".demo"
_INDENT: Final = "   "
_TRIED: Final = 8
"""Sentences of somebody's texts that are asked for before the demo says that it found none."""


def demo(
    source: Annotated[
        str | None, typer.Argument(metavar="FROM", help="A feed, page, folder or repository of your own.")
    ] = None,
) -> None:
    """Show what this does in a minute, on sample texts or your own, in a data folder of its own."""
    say(f"This demo keeps its data in {FOLDER}, which is emptied at every run; your own are not touched.")
    settings = _settings(source)
    with connected(settings, logger_of_command(), say) as client:
        client.status()
        with open_document_store(f"sqlite://{FOLDER}/documents.db", SystemClock()) as store:
            Demo(client, store, width()).run(source)


@dataclass
class Demo:
    """Numbered steps, each with the command that does it, what really came out and how long it took."""

    client: Client
    store: DocumentStore
    columns: int | None
    _steps: int = field(default=0)

    def run(self, source: str | None) -> None:
        """Read, ask, edit, delete, and show how the author writes."""
        self._read(source)
        story = self._asked(source)
        self._edit(story)
        self._delete(story)
        self._show_style(story)
        self._draft(story)
        self._end(source)

    def _read(self, source: str | None) -> None:
        began = time.monotonic()
        if source is None:
            self._step(
                "Reading this clone's documentation and one of its services, and six posts written for the demo."
            )
            inputs = list(own_inputs())
            with _bars() as bars:
                reading = bars.add_task("read", total=len(inputs))
                import_documents(inputs, self.client, lambda _: None, lambda _: bars.advance(reading), say)
        else:
            self._step(f"Reading {source}")
            with _bars() as bars:
                self._tell(*_crawled(self.client, source, Bars(bars)))
        counts = self.client.status().counts
        self._tell(
            f"{time.monotonic() - began:.1f} s. Searchable documents: {counts.indexed:,}, in {counts.chunks:,} chunks."
        )

    def _asked(self, source: str | None) -> Story:
        """Ask, print the answer, and return whose sentence it quotes."""
        self._step(
            "Asking. Every answer names its sources; without a language model it is made of their own sentences."
        )
        if source is None:
            story = own_story(self.store)
            self._answer(REAL_QUESTION)
            self._tell("")
            self._answer(story.question)
            return story
        for story in islice(stories(self.store), _TRIED):
            answer = self._ask(story.question)
            if _cites(answer, story):
                self._tell_answer(story.question, answer)
                return story
        message = f"the demo found no plain sentence in {source!r} to ask about; `twin crawl` and `twin ask` may"
        raise CommandError(message)

    def _edit(self, story: Story) -> None:
        self._step("Editing one sentence in the document store, and asking again.")
        self._tell(f"- {story.sentence}", f"+ {story.changed}", "")
        embedded = self.client.status().chunks_embedded
        took = self._put(story.edited())
        fresh = self.client.status().chunks_embedded - embedded
        kept = self.client.document(story.document.id).chunks - fresh
        self._tell(
            f"Searchable {took} after the commit. Chunks embedded: {fresh}; chunks that kept their vector: {kept}.", ""
        )
        self._answer(story.question)

    def _delete(self, story: Story) -> None:
        self._step("Deleting that document, and asking again.")
        self.store.delete(story.document.id)
        began = time.monotonic()
        self._wait_until_gone(story.document.id)
        self._tell(f"Gone from the index {_since(began)} after the commit.", "")
        self._answer(story.question)
        self._tell("", f"Put back as it was: searchable {self._put(story.document)} after the commit.")

    def _show_style(self, story: Story) -> None:
        author = story.document.author
        self._step(f"Measuring how {author.name} writes, by plain code.")
        self._tell(f"$ twin style{_whose(author.name)}", "")
        try:
            card = self.client.style(author.id)
        except Refused as error:
            self._tell(error.detail)
            return
        one_example = [habit.model_copy(update={"examples": habit.examples[:1]}) for habit in card.habits]
        self._tell(*style.card(card.model_copy(update={"habits": tuple(one_example)}), self._inner).split("\n"))

    def _draft(self, story: Story) -> None:
        self._step("Drafting in that voice.")
        topic = TOPIC if story.document.author.name == SAMPLE_AUTHOR else story.sentence
        written = self.client.draft(DraftRequest(topic=topic, length=120, author=story.document.author.id))
        if written.kind == "draft":
            self._tell(
                f'$ twin draft "{topic}"{_whose(story.document.author.name)}',
                "",
                *draft.shown(written, self._inner).split("\n"),
            )
            return
        self._tell(
            "That takes a language model, and none answers here. Where Ollama (https://ollama.com) is installed, one "
            "command brings one, and this demo finds it:",
            "",
            "    ollama pull llama3.2",
            "",
            "LLM_URL names any other server that speaks OpenAI's API.",
        )

    def _end(self, source: str | None) -> None:
        print("\nThat was the demo, on data of its own. One command reads your texts, and keeps them:\n")
        print(f"    ./twin crawl {shlex.quote(source) if source else 'https://your.blog/feed'}\n", flush=True)

    @property
    def _inner(self) -> int | None:
        return self.columns - len(_INDENT) if self.columns else None

    def _step(self, title: str) -> None:
        self._steps += 1
        print(f"\n{show.wrapped(f'{self._steps}. {title}', self.columns)}\n", flush=True)

    def _tell(self, *lines: str) -> None:
        for line in lines:
            shown = line if line.startswith(" ") else show.wrapped(line, self._inner)
            print(show.joined(f"{_INDENT}{part}".rstrip() for part in shown.split("\n")), flush=True)

    def _ask(self, question: str) -> ChatCompletion:
        return self.client.ask(question, SearchFilters())

    def _answer(self, question: str) -> None:
        self._tell_answer(question, self._ask(question))

    def _tell_answer(self, question: str, answer: ChatCompletion) -> None:
        self._tell(f'$ twin ask "{question}"', *show.answer(answer, self._inner).split("\n"))

    def _put(self, document: Raw) -> str:
        """Commit a document; return how long it then took until it was searchable."""
        self.store.upsert(document)
        began = time.monotonic()
        reason = wait_until_indexed(document.id, self.client, say)
        if reason:
            message = f"what the demo stored was not indexed: {reason}"
            raise CommandError(message)
        return _since(began)

    def _wait_until_gone(self, document_id: DocumentId) -> None:
        try:
            while True:
                self.client.document(document_id, wait=1)
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def _whose(author: str) -> str:
    """Return the option that names an author; the samples' author owns the demo, so it is left out."""
    return "" if author == SAMPLE_AUTHOR else f' --author "{author}"'


def _since(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def _settings(source: str | None) -> Settings:
    """Return the settings of a system of the demo's own, its folder empty."""
    owner = DataFolder(FOLDER).owner()
    if owner is not None:
        raise FolderTaken(str(FOLDER), owner.pid, owner.url)
    shutil.rmtree(FOLDER, ignore_errors=True)
    own = {"twin_data": FOLDER, "twin_url": None}
    return Settings().model_copy(update=own if source else {**own, "twin_owner": SAMPLE_AUTHOR})


def _bars() -> Progress:
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    return Progress(TextColumn(_INDENT + "{task.description}"), BarColumn(), MofNCompleteColumn(), console=console)


def _crawled(client: Client, source: str, bars: Bars) -> Iterator[str]:
    """Yield a line about the link or folder, once everything in it is searchable."""
    if is_remote(source):
        results = crawl_remote(client, [source], None, LinkKind.AUTO, bars)
    else:
        results = [crawl_local(client, path_of(source), None, bars)]
    failed = await_indexed(client, results, bars, say)
    yield from (line for result in results for line in lines_of(result))
    yield from failed


def _cites(answer: ChatCompletion, story: Story) -> bool:
    return any(
        one.document_id == story.document.id and story.sentence in " ".join(one.quote.split())
        for one in answer.twin.citations
    )
