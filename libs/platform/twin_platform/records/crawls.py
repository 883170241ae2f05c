"""Where crawl jobs are kept: anyone asks by putting one, a crawler runs them."""

from datetime import timedelta

from twin_contracts.base import AuthorId, Contract, DocumentId, Text, uuid_of
from twin_contracts.crawl import CrawledSource, CrawlJob, CrawlRequest, CrawlState, LinkKind
from twin_contracts.documents import AuthorRef
from twin_platform.records.port import Collection, R, RecordStore, Stored
from twin_platform.telemetry.clock import Clock


class Remembered(Contract):
    """A link as it was read last."""

    kind: LinkKind
    author: AuthorRef | None
    """Whose it was said to be, which holds for the next crawl that says nothing."""
    documents: tuple[DocumentId, ...]
    etag: Text | None = None
    last_modified: Text | None = None


CRAWLS = Collection("crawls", CrawlJob)
"""Jobs that are not finished: few, so that a crawler can look at them all the time."""

FINISHED_CRAWLS = Collection("crawls-finished", CrawlJob)
"""What was crawled lately."""

SOURCES = Collection("crawl-sources", CrawledSource)
"""Every link that documents came from, under `source_key`."""

REMEMBERED = Collection("crawl-remembered", Remembered)
"""The same links, as the next crawl needs to know them."""

KEPT = timedelta(days=7)
"""How long a finished job can be asked for."""


def source_key(url: str) -> DocumentId:
    """Return the key of a source's records."""
    return uuid_of("source", url)


def ask_crawl(
    records: RecordStore, clock: Clock, request: CrawlRequest, authors: tuple[AuthorId, ...] | None = None
) -> CrawlJob:
    """Ask a crawler to read links. Returns the job as stored.

    Args:
        authors: whose documents it may replace or delete; None for anybody's.
    """
    job = CrawlJob.new(request, clock.now(), authors)
    records.put(CRAWLS, job.id, job)
    return job


def crawl_job(records: RecordStore, job_id: DocumentId) -> CrawlJob | None:
    """Return a job, finished or not; None where there is none, or no longer."""
    found = records.get(CRAWLS, job_id) or records.get(FINISHED_CRAWLS, job_id)
    return found.record if found else None


def open_crawls(records: RecordStore) -> list[Stored[CrawlJob]]:
    """Return the jobs that are not finished, oldest first."""
    return sorted(_all(records, CRAWLS), key=lambda stored: (stored.record.requested_at, stored.key))


def finish_crawl(records: RecordStore, clock: Clock, job: CrawlJob) -> CrawlJob:
    """Move the job to the finished ones, and forget those of a week ago. Killed in between, it is finished again."""
    done = job.model_copy(update={"state": CrawlState.FINISHED, "finished_at": clock.now(), "claim": None})
    records.put(FINISHED_CRAWLS, job.id, done)
    records.delete(CRAWLS, job.id)
    for stored in _all(records, FINISHED_CRAWLS):
        if stored.record.finished_at is not None and stored.record.finished_at < clock.now() - KEPT:
            records.delete(FINISHED_CRAWLS, stored.key)
    return done


def forget_crawls_of(records: RecordStore, author: AuthorId) -> None:
    """Forget what was crawled as this author's: the finished jobs and the links."""
    for job in _all(records, FINISHED_CRAWLS):
        if job.record.author is not None and job.record.author.id == author:
            records.delete(FINISHED_CRAWLS, job.key)
    for source in _all(records, SOURCES):
        if source.record.author is not None and source.record.author.id == author:
            records.delete(SOURCES, source.key)
            records.delete(REMEMBERED, source.key)


def _all(records: RecordStore, collection: Collection[R]) -> list[Stored[R]]:
    found: list[Stored[R]] = []
    while page := records.find(collection, after=found[-1].key if found else None):
        found += page
    return found
