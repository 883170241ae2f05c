"""`twin demo`: the whole chain in front of its reader, over a data folder of its own."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
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
from twin_contracts.chat import ChatCompletion
from twin_contracts.crawl import LinkKind
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
    say(f"data folder of the demo: {FOLDER}, emptied at every run; nothing of yours is touched, nothing leaves here")
    settings = _settings(source)
    with connected(settings, logger_of_command(), say) as client:
        client.status()
        with open_document_store(f"sqlite://{FOLDER}/documents.db", SystemClock()) as store:
            Demo(client, store, width()).run(source)


@dataclass
class Demo:
    """Numbered steps, each with what really happened and how long it took."""

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
            self._step("Reading this clone's documentation and code, and a few posts that were written for this demo")
            inputs = list(own_inputs())
            with _bars() as bars:
                reading = bars.add_task("stored and indexed", total=len(inputs))
                import_documents(inputs, self.client, lambda _: None, lambda _: bars.advance(reading), say)
        else:
            self._step(f"Reading {source}")
            with _bars() as bars:
                self._tell(show.joined(_crawled(self.client, source, Bars(bars))))
        counts = self.client.status().counts
        self._tell(
            f"{counts.indexed:,} documents are searchable, as {counts.chunks:,} passages, after "
            f"{time.monotonic() - began:.1f} s."
        )

    def _asked(self, source: str | None) -> Story:
        """Ask, print the answer, and return whose sentence it quotes."""
        if source is None:
            self._step("Asking about what was read; answers are quoted word for word, or not given")
            self._answer(REAL_QUESTION)
            story = own_story(self.store)
            self._answer(story.question)
            return story
        for number, story in enumerate(stories(self.store)):
            answer = self.client.ask(story.question, SearchFilters())
            if _cites(answer, story):
                self._step("Asking for a sentence of it; answers are quoted word for word, or not given")
                self._tell_answer(story.question, answer)
                return story
            if number == _TRIED:
                break
        message = f"nothing in {source!r} is plain prose that the demo could ask about; `twin import` and `twin ask` do"
        raise CommandError(message)

    def _edit(self, story: Story) -> None:
        self._step("Editing one sentence in the document store")
        self._tell(f"- {story.sentence}", f"+ {story.changed}")
        embedded = self.client.status().chunks_embedded
        self.store.upsert(story.edited())
        took = self._seconds_until(lambda: self._wait_for(story))
        fresh = self.client.status().chunks_embedded - embedded
        kept = self.client.document(story.document.id).chunks - fresh
        self._tell(f"Searchable {took} after its commit. Chunks embedded: {fresh}; kept as they were: {kept}.")
        self._answer(story.question)

    def _delete(self, story: Story) -> None:
        self._step("Deleting that document")
        self.store.delete(story.document.id)
        took = self._seconds_until(lambda: self._wait_until_gone(story))
        self._tell(f"Gone from every index {took} after its commit.")
        self._answer(story.question)

    def _show_style(self, story: Story) -> None:
        author = story.document.author
        self._step(f"Measuring how {author.name} writes; plain code, no model")
        try:
            print(style.card(self.client.style(author.id), self.columns))
        except Refused as error:
            self._tell(error.detail)

    def _draft(self, story: Story) -> None:
        self._step("Drafting in that voice")
        topic = TOPIC if story.document.author.name == SAMPLE_AUTHOR else story.sentence
        written = self.client.draft(DraftRequest(topic=topic, length=120, author=story.document.author.id))
        if written.kind == "draft":
            print(draft.shown(written, self.columns))
            return
        self._tell(
            "A draft takes a language model, and none answers here. With Ollama (ollama.com) it takes one command:",
            "    ollama run llama3.2",
            "It is found by itself; LLM_URL names any other server that speaks OpenAI's API.",
        )

    def _end(self, source: str | None) -> None:
        print("\nNow your own texts. `twin up` starts empty; this reads them and keeps them:\n")
        print(f'    ./twin crawl {source or "https://your.blog/feed"}\n\nThen: ./twin ask "…"')

    def _step(self, title: str) -> None:
        self._steps += 1
        print(f"\n{show.wrapped(f'{self._steps}. {title}.', self.columns)}\n")

    def _tell(self, *lines: str) -> None:
        for line in lines:
            print(show.joined([show.wrapped(line, self.columns, _INDENT)]))

    def _answer(self, question: str) -> None:
        self._tell_answer(question, self.client.ask(question, SearchFilters()))

    def _tell_answer(self, question: str, answer: ChatCompletion) -> None:
        self._tell(f"> {question}")
        columns = self.columns - len(_INDENT) if self.columns else None
        print("".join(f"{_INDENT}{line}".rstrip() + "\n" for line in show.answer(answer, columns).split("\n")))

    def _seconds_until(self, wait: Callable[[], None]) -> str:
        began = time.monotonic()
        wait()
        return f"{(time.monotonic() - began) * 1000:.0f} ms"

    def _wait_for(self, story: Story) -> None:
        reason = wait_until_indexed(story.document.id, self.client, say)
        if reason:
            message = f"the edited document was not indexed: {reason}"
            raise CommandError(message)

    def _wait_until_gone(self, story: Story) -> None:
        try:
            while True:
                self.client.document(story.document.id, wait=1)
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def _settings(source: str | None) -> Settings:
    """Return the settings of a system of the demo's own, its folder empty."""
    owner = DataFolder(FOLDER).owner()
    if owner is not None:
        raise FolderTaken(str(FOLDER), f"process {owner.pid}")
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
