"""`GET /v1/events`: what a listener is told, and when it ends."""

import pytest

from fakes.api import OWNER, Api
from fakes.events import hear
from twin_contracts.crawl import CrawlJob, CrawlRequest, CrawlState
from twin_contracts.documents import AuthorRef, RawPost, Source, document_id_of
from twin_platform.features import news
from twin_platform.records.crawls import CRAWLS, ask_crawl, finish_crawl
from twin_rag_api import events


def post(name: str, author: AuthorRef = OWNER) -> RawPost:
    return RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text=name)


def test_what_becomes_of_a_document_is_told_once_it_is_searchable(api: Api) -> None:
    heard = hear(api, lambda: api.index(post("a")), lambda: api.forget(post("a")))

    first, indexed, deleted, *_ = heard.split("\n\n")
    assert first == ": listening"
    assert indexed.startswith(f'event: indexed\ndata: {{"document_id":"{document_id_of("a")}"')
    assert deleted.startswith("event: deleted\n")
    assert f'"author":"{OWNER.id}"' in deleted


def test_a_crawl_is_told_while_it_goes_on_and_when_it_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_crawl(api.records, api.clock, CrawlRequest(links=("https://example.org/before",)))
    job = ask_crawl(api.records, api.clock, CrawlRequest(links=("https://example.org/a",)))
    running = job.model_copy(update={"state": CrawlState.RUNNING})
    heard = hear(
        api,
        lambda: api.records.put(CRAWLS, job.id, running),
        lambda: finish_crawl(api.records, api.clock, running),
    )

    told = [CrawlJob.model_validate_json(line[6:]) for line in heard.splitlines() if line.startswith("data: ")]
    assert [(one.id, one.state) for one in told] == [(job.id, "running"), (job.id, "finished")]


def test_silence_is_broken_by_a_comment(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.0)

    heard = hear(api)

    assert heard.startswith(": listening\n\n: still here\n\n")


def test_who_lost_something_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "ROOM", 1)
    both = [api.change(post("a")), api.change(post("b"))]

    heard = hear(api, lambda: api.features.apply(both))

    assert heard.count("event: ") <= 1


def test_the_streams_end_with_the_system(api: Api) -> None:
    heard = hear(api)

    assert heard == ": listening\n\n"
