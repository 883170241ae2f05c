"""`GET /v1/events`: what a listener is told, and when it ends."""

from threading import Timer

import pytest
from starlette.testclient import TestClient

from fakes.api import KEY, OWNER, Api
from twin_contracts.crawl import CrawlJob, CrawlRequest, CrawlState
from twin_contracts.documents import AuthorRef, RawPost, Source, document_id_of
from twin_platform.features import news
from twin_platform.records.crawls import CRAWLS, ask_crawl, finish_crawl
from twin_rag_api import events
from twin_rag_api.bootstrap import build_api


def post(name: str, author: AuthorRef = OWNER) -> RawPost:
    return RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text=name)


def hear(api: Api, happening: Timer, seconds: float = 1.0) -> str:
    happening.start()
    response = api.client.get(f"/v1/events?seconds={seconds}")
    happening.join()
    assert response.headers["content-type"].startswith("text/event-stream")
    return response.text


def test_what_becomes_of_a_document_is_told_once_it_is_searchable(api: Api) -> None:
    def happen() -> None:
        api.index(post("a"))
        api.forget(post("a"))

    heard = hear(api, Timer(0.2, happen), 0.6)

    first, indexed, deleted, *_ = heard.split("\n\n")
    assert first == ": listening"
    assert indexed.startswith(f'event: indexed\ndata: {{"document_id":"{document_id_of("a")}"')
    assert deleted.startswith("event: deleted\n")
    assert f'"author":"{OWNER.id}"' in deleted


def test_a_crawl_is_told_while_it_goes_on_and_when_it_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_ASK_SECONDS", 0.1)
    ask_crawl(api.records, api.clock, CrawlRequest(links=("https://example.org/before",)))
    job = ask_crawl(api.records, api.clock, CrawlRequest(links=("https://example.org/a",)))
    running = job.model_copy(update={"state": CrawlState.RUNNING})
    begins = Timer(0.2, api.records.put, (CRAWLS, job.id, running))
    ends = Timer(0.7, finish_crawl, (api.records, api.clock, running))
    begins.start()

    heard = hear(api, ends, 1.2)

    told = [CrawlJob.model_validate_json(line[6:]) for line in heard.splitlines() if line.startswith("data: ")]
    assert [(one.id, one.state) for one in told] == [(job.id, "running"), (job.id, "finished")]


def test_silence_is_broken_by_a_comment(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)

    heard = hear(api, Timer(0, lambda: None), 0.6)

    assert heard.startswith(": listening\n\n: still here\n\n")


def test_who_lost_something_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "ROOM", 1)
    happening = Timer(0.2, lambda: api.features.apply([api.change(post("a")), api.change(post("b"))]))

    heard = hear(api, happening, 30)

    assert heard.count("event: ") <= 1


def test_the_streams_end_with_the_system(api: Api) -> None:
    app = build_api(api.parts, KEY)
    stop = Timer(0.2, setattr, (app.state, "stopping", True))
    stop.start()

    heard = TestClient(app).get("/v1/events", headers={"Authorization": f"Bearer {KEY}"})

    stop.join()
    assert heard.text == ": listening\n\n"
