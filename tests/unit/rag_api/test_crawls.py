"""Routes of crawls: a job is what is stored, and a bound key stays with its authors."""

import pytest

from fakes.api import Api
from twin_contracts.crawl import CrawledSource, CrawlJob, CrawlState, LinkKind
from twin_contracts.documents import AuthorRef
from twin_platform.records.crawls import CRAWLS, SOURCES, crawl_job, finish_crawl, source_key
from twin_platform.records.keys import create_key

ANN = AuthorRef.of("Ann")
BOB = AuthorRef.of("Bob")
LINK = "https://blog.example/rye"


@pytest.fixture
def bound(api: Api) -> dict[str, str]:
    """The headers of a key that is bound to Ann."""
    return {"Authorization": f"Bearer {create_key(api.records, 'app', api.clock.now(), (ANN.id,))}"}


def test_a_crawl_is_a_job_that_waits_for_a_crawler(api: Api) -> None:
    response = api.client.post("/v1/crawls", json={"links": [LINK, LINK], "author": "Ann"})

    assert response.status_code == 202
    job = CrawlJob.model_validate_json(response.content)
    assert (job.state, job.author, [link.link for link in job.links]) == (CrawlState.WAITING, ANN, [LINK])
    assert response.headers["Location"] == f"/v1/crawls/{job.id}"
    assert crawl_job(api.records, job.id) == job


def test_a_crawl_can_be_looked_at_while_it_runs_and_when_it_is_finished(api: Api) -> None:
    job = CrawlJob.model_validate_json(api.client.post("/v1/crawls", json={"links": [LINK]}).content)
    before = api.client.get(f"/v1/crawls/{job.id}").json()["state"]
    finish_crawl(api.records, api.clock, job)

    after = api.client.get(f"/v1/crawls/{job.id}").json()["state"]

    assert (before, after) == ("waiting", "finished")


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd", "/etc/passwd", "ftp://host/x", "javascript:alert(1)", "git@host:olga/mill",
        "ext::sh -c x", "-u./evil", "https://host/a b", "https://host/a\nb", "", "https://host/" + "x" * 2000,
    ],
)  # fmt: skip
def test_only_http_and_https_are_taken(api: Api, link: str) -> None:
    response = api.client.post("/v1/crawls", json={"links": [link]})

    assert response.status_code == 422
    assert api.records.find(CRAWLS) == []


@pytest.mark.parametrize(
    "body",
    [{}, {"links": []}, {"links": [LINK] * 101}, {"links": [LINK], "local": True}, {"links": [LINK], "kind": "x"}],
)
def test_a_request_that_makes_no_sense_is_refused(api: Api, body: dict[str, object]) -> None:
    assert api.client.post("/v1/crawls", json=body).status_code == 422


def test_an_unknown_crawl_is_a_404(api: Api) -> None:
    response = api.client.get("/v1/crawls/0b6d4e0e-6a4c-4e0f-9d3b-6a1d6f4b7c11")

    assert response.status_code == 404
    assert "no crawl" in response.json()["detail"]


@pytest.mark.parametrize("author", [None, "Bob"])
def test_a_bound_key_crawls_for_its_authors_alone(api: Api, bound: dict[str, str], author: str | None) -> None:
    response = api.client.post("/v1/crawls", json={"links": [LINK], "author": author}, headers=bound)

    assert response.status_code == 422
    assert "'ann'" in response.json()["detail"]
    assert api.records.find(CRAWLS) == []


def test_a_bound_keys_crawl_may_replace_its_authors_documents_alone(api: Api, bound: dict[str, str]) -> None:
    response = api.client.post("/v1/crawls", json={"links": [LINK], "author": "ANN"}, headers=bound)

    job = CrawlJob.model_validate_json(response.content)
    assert (job.author and job.author.id, job.authors) == (ANN.id, (ANN.id,))


def test_a_bound_key_sees_only_its_authors_crawls(api: Api, bound: dict[str, str]) -> None:
    def ask(author: str | None) -> str:
        return str(api.client.post("/v1/crawls", json={"links": [LINK], "author": author}).json()["id"])

    seen = [api.client.get(f"/v1/crawls/{ask(author)}", headers=bound).status_code for author in ("Ann", "Bob", None)]

    assert seen == [200, 404, 404]


def test_a_bound_key_keeps_its_crawls_when_its_author_is_merged(api: Api, bound: dict[str, str]) -> None:
    job = api.client.post("/v1/crawls", json={"links": [LINK], "author": "Ann"}).json()["id"]
    put_sources(api, 2)
    api.client.post("/v1/authors/merge", json={"source": "Ann", "target": "Annabel"})

    got, listed = (api.client.get(path, headers=bound) for path in (f"/v1/crawls/{job}", "/v1/sources"))

    assert (got.status_code, len(listed.json()["items"])) == (200, 1)


def put_sources(api: Api, count: int) -> None:
    for number in range(count):
        url = f"{LINK}/{number}"
        author = ANN if number % 2 else BOB
        source = CrawledSource(
            url=url, kind=LinkKind.PAGE, author=author, documents=1, crawled_at=api.clock.now(), gone_since=None
        )
        api.records.put(SOURCES, source_key(url), source)


def test_sources_are_listed_page_by_page(api: Api) -> None:
    put_sources(api, 5)

    first = api.client.get("/v1/sources?limit=3").json()
    second = api.client.get(f"/v1/sources?limit=3&cursor={first['next']}").json()

    assert (len(first["items"]), len(second["items"]), second["next"]) == (3, 2, None)
    assert {item["url"] for item in first["items"] + second["items"]} == {f"{LINK}/{number}" for number in range(5)}


def test_who_forgets_an_author_forgets_where_their_texts_came_from(api: Api) -> None:
    put_sources(api, 4)
    job = CrawlJob.model_validate_json(api.client.post("/v1/crawls", json={"links": [LINK], "author": "Ann"}).content)
    finish_crawl(api.records, api.clock, job)

    api.client.delete("/v1/authors/ann")

    items = api.client.get("/v1/sources").json()["items"]
    assert {item["author"]["id"] for item in items} == {"bob"}
    assert crawl_job(api.records, job.id) is None


def test_a_bound_key_sees_its_authors_sources_alone(api: Api, bound: dict[str, str]) -> None:
    put_sources(api, 4)

    page = api.client.get("/v1/sources?limit=2", headers=bound).json()

    assert {item["url"] for item in page["items"]} == {f"{LINK}/1", f"{LINK}/3"}
    assert page["next"] is None
