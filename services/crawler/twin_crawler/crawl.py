"""Crawl one link: read it, store what is new, delete what is gone, and say what became of it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from twin_contracts.base import AuthorId, DocumentId
from twin_contracts.crawl import MAX_LISTED, CrawlJob, LinkKind, LinkOutcome, LinkState, Refusal
from twin_contracts.documents import AuthorRef, Raw, document_id_of
from twin_crawler.errors import FetchFailed, FetchRefused, Reason
from twin_crawler.memory import Memory
from twin_crawler.ports import Authorship, Found, Gone, Item, Note, Validators
from twin_crawler.table import Choice, CrawlerTable
from twin_platform.documents.errors import DocumentTooLarge
from twin_platform.documents.port import DocumentStore
from twin_platform.records.authors import store_document
from twin_platform.records.crawls import Remembered
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import Clock

Tell = Callable[[LinkOutcome], None]
"""Told how far a link is, after every document; may raise to end the crawl of it."""


@dataclass(frozen=True)
class Crawl:
    """The use case. Repeating it is harmless: what is stored already is not written again."""

    table: CrawlerTable
    documents: DocumentStore
    records: RecordStore
    clock: Clock
    owner: Callable[[], AuthorRef]

    def __call__(self, job: CrawlJob, before: LinkOutcome, tell: Tell) -> LinkOutcome:
        """Return what became of the link of `before`, which may have been begun by a crawler that died.

        Raises:
            TransientError: a store is away; what was stored holds, and the link can be crawled again.
        """
        outcome = _Outcome(before, tell)
        try:
            choice = self.table.choose(before.link, job.kind)
        except FetchRefused as error:
            return outcome.refused_because(error.why)
        memory = Memory(self.records, self.clock)
        reading = _Reading(self, memory, choice, job, outcome, memory.of(choice.source))
        try:
            return reading.read()
        except FetchRefused as error:
            if error.reason is Reason.GONE and error.url == choice.link:
                reading.gone(error.url)
            return outcome.refused_because(error.why if error.url == choice.link else str(error))
        except FetchFailed as error:
            return outcome.refused_because(f"{error.why}; nothing of it was deleted, crawl it again later")


class _Outcome:
    """Counts what becomes of a link."""

    def __init__(self, before: LinkOutcome, tell: Tell) -> None:
        self._tell = tell
        self.mine = set(before.documents)
        """Stored by a crawler that died since: not this job's news, and yet its work."""
        self.now = LinkOutcome(link=before.link, state=LinkState.RUNNING, tries=before.tries)

    def set(self, **fields: object) -> None:
        self.now = self.now.model_copy(update=fields)

    def count(self, document_id: DocumentId, *, changed: bool) -> None:
        if changed or document_id in self.mine:
            listed = (*self.now.documents, document_id) if len(self.now.documents) < MAX_LISTED else self.now.documents
            self.set(stored=self.now.stored + 1, documents=listed)
        else:
            self.set(unchanged=self.now.unchanged + 1)
        self._tell(self.now)

    def refuse(self, what: str, reason: str) -> None:
        refusals = self.now.refusals
        if len(refusals) < MAX_LISTED:
            refusals = (*refusals, Refusal(what=what, reason=reason))
        self.set(refused=self.now.refused + 1, refusals=refusals)
        self._tell(self.now)

    def note(self, text: str | None) -> None:
        self.set(note="; ".join(filter(None, (self.now.note, text))) or None)

    def refused_because(self, reason: str) -> LinkOutcome:
        partly = self.now.stored or self.now.unchanged
        self.set(state=LinkState.FINISHED if partly else LinkState.REFUSED, reason=reason)
        return self.now


@dataclass
class _Reading:
    """One reading of one link."""

    crawl: Crawl
    memory: Memory
    choice: Choice
    job: CrawlJob
    outcome: _Outcome
    known: Remembered | None
    seen: list[DocumentId] = field(default_factory=list)
    found: Found | None = None

    def read(self) -> LinkOutcome:
        author = self.job.author or (self.known.author if self.known else None)
        authorship = Authorship(self.crawl.owner(), author)
        with closing(self.choice.crawler(self.choice.link, authorship, self._validators(author))) as items:
            for item in items:
                self._take(item)
        self._settle(author)
        self.outcome.set(state=LinkState.FINISHED)
        return self.outcome.now

    def gone(self, url: str) -> None:
        """Delete the document of a URL that has been gone for a day."""
        document_id = document_id_of(url)
        if self.memory.is_gone(url):
            if self._may_touch(document_id) and self.crawl.documents.delete(document_id):
                self.outcome.set(deleted=self.outcome.now.deleted + 1)
            if self._may_remember():
                self.memory.forget(url)

    def _take(self, item: Item) -> None:
        match item:
            case Found():
                self.found = item
                self.outcome.set(kind=self.known.kind if item.unchanged and self.known else item.kind)
                self.outcome.set(expected=item.expected)
                if self.choice.unknown_host and not item.unchanged:
                    kind = "web page" if item.kind is LinkKind.PAGE else item.kind
                    self.outcome.note(f"nothing particular is known of {self.choice.unknown_host}; read as a {kind}")
            case Note():
                self.outcome.note(item.text)
            case Refusal():
                self.outcome.refuse(item.what, item.reason)
            case Gone():
                self.gone(item.url)
                self.outcome.refuse(item.url, item.why)
            case _:
                self._store(item)

    def _store(self, document: Raw) -> None:
        document = document.model_copy(
            update={"source": document.source.model_copy(update={"fetched_at": self.crawl.clock.now()})}
        )
        what = document.source.url or document.id
        if not self._may_touch(document.id):
            self.outcome.refuse(what, "a document of another author is stored under its URL")
            return
        try:
            changed = store_document(self.crawl.documents, self.crawl.records, document).changed
        except DocumentTooLarge as error:
            self.outcome.refuse(what, str(error))
            return
        self.seen.append(document.id)
        if document.source.url is not None:
            self.memory.answers(document.source.url)
        self.outcome.count(document.id, changed=changed)

    def _settle(self, author: AuthorRef | None) -> None:
        """Remember the link as it was read, and delete what a complete reading no longer had."""
        if self.found is None or not self._may_remember():
            return
        if self.found.unchanged and self.known is not None:
            self.outcome.set(unchanged=len(self.known.documents))
            self.memory.seen(self.choice.source, self.known)
            return
        found = self.found
        if found.whole:
            before = self.known.documents if self.known and self.known.kind is found.kind else ()
            known = {*before, *self.outcome.mine}
            absent = [document_id for document_id in sorted(known - set(self.seen)) if self._may_touch(document_id)]
            self.outcome.set(deleted=sum(map(self.crawl.documents.delete, absent)))
        if self.outcome.now.refused:  # what failed is tried again, so the next crawl must read everything
            found = Found(found.kind, found.expected)
        self.memory.learn(self.choice.source, author, found, tuple(self.seen))

    def _validators(self, author: AuthorRef | None) -> Validators:
        """Return what may make the site say that nothing has changed: only while all that it stands for is stored."""
        known = self.known
        if known is None or known.author != author or self.job.kind not in {LinkKind.AUTO, known.kind}:
            return Validators()
        if not all(map(self.crawl.documents.author_of, known.documents)):
            return Validators()
        return Validators(known.etag, known.last_modified)

    def _may_remember(self) -> bool:
        """Return whether who asked may change what is known of the link: a bound key not what others crawled."""
        if self.job.authors is None or self.known is None:
            return True
        return self.known.author is not None and self.known.author.id in self.job.authors

    def _may_touch(self, document_id: DocumentId) -> bool:
        """Return whether who asked may replace or delete what is stored under an id."""
        authors: tuple[AuthorId, ...] | None = self.job.authors
        if authors is None:
            return True
        return self.crawl.documents.author_of(document_id) in {None, *authors}
