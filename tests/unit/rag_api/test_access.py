"""What another program's key opens, seen from outside: no key, wrong ones, and one that is bound to an author."""

import json
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from fakes.api import OWNER, Api
from fakes.events import hear
from twin_contracts.documents import Raw, document_id_of_client
from twin_contracts.http import DocumentInput
from twin_platform.records.errors import RecordsUnavailable
from twin_platform.records.keys import create_key, revoke_key
from twin_platform.records.port import Collection, R, Stored
from twin_rag_api.raw import raw_document

ADAS = document_id_of_client("adas-note")
HIDDEN = "Ada keeps her cat Mirza secret."
QUESTION = "What does Ada keep secret?"


def document(client_id: str, text: str, author: str) -> Raw:
    given = DocumentInput(type="post", text=text, author=author)
    return raw_document(document_id_of_client(client_id), given, OWNER)


@pytest.fixture
def api() -> Api:
    api = Api()
    api.index(document("adas-note", HIDDEN, "Ada"))
    api.index(document("beas-note", "Bea keeps bees.", "Bea"))
    return api


def client_with(api: Api, key: str) -> TestClient:
    return TestClient(api.client.app, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def bea(api: Api) -> TestClient:
    """A client whose key is bound to Bea."""
    return client_with(api, create_key(api.records, "bea", api.clock.now(), ("bea",)))


def chat(client: TestClient, model: str = "twin", twin: dict[str, object] | None = None) -> tuple[int, str]:
    message = {"role": "user", "content": QUESTION}
    body = {"model": model, "messages": [message], "twin": twin or {}}
    response = client.post("/v1/chat/completions", json=body)
    return response.status_code, response.text


def answer(client: TestClient, method: str, path: str) -> str:
    """Return all that a client is told but what it asked for itself."""
    response = client.request(method, path)
    told = response.text
    for own in (ADAS, document_id_of_client("nobodys-note"), "adas-note", "nobodys-note", "ada", "nobody"):
        told = told.replace(f"'{own}'", "X").replace(f"/{own}", "/X")
    return f"{response.status_code} {told}"


class TestKeys:
    @pytest.mark.parametrize("path", ["/v1/documents", "/v1/models", "/v1/documents/adas-note", "/v1/nothing"])
    def test_every_key_that_opens_nothing_is_refused_in_the_same_words(self, api: Api, path: str) -> None:
        create_key(api.records, "phone", api.clock.now())

        answers = [client_with(api, key).get(path).content for key in ("", "wrong", "twin_wrong", "phone")]

        assert len(set(answers)) == 1
        assert b"valid key" in answers[0]

    def test_a_new_key_opens_everything_at_once(self, api: Api) -> None:
        client = client_with(api, create_key(api.records, "phone", api.clock.now()))

        assert len(client.get("/v1/documents").json()["items"]) == 2

    def test_a_revoked_key_is_refused_from_the_next_request_on(self, api: Api) -> None:
        client = client_with(api, create_key(api.records, "phone", api.clock.now()))
        before = client.get("/v1/documents").status_code

        revoke_key(api.records, "phone", api.clock.now())
        after = client.get("/v1/models")

        assert (before, after.status_code) == (200, 401)
        assert after.json()["error"]["code"] == "invalid_api_key"
        assert "was revoked" in after.json()["error"]["message"]
        assert after.headers["www-authenticate"] == "Bearer"

    def test_a_key_ends_at_its_time(self, api: Api) -> None:
        now = api.clock.now()
        client = client_with(api, create_key(api.records, "phone", now, expires_at=now + timedelta(days=1)))
        before = client.get("/v1/documents").status_code

        api.clock.turn(timedelta(days=1))
        after = client.get("/v1/documents")

        assert (before, after.status_code) == (200, 401)
        assert "has expired" in after.json()["detail"]

    def test_a_store_that_cannot_say_refuses_for_now(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        client = client_with(api, create_key(api.records, "phone", api.clock.now()))

        def fail(collection: Collection[R], key: str) -> Stored[R] | None:
            message = "the disk is gone"
            raise RecordsUnavailable(message)

        monkeypatch.setattr(api.records, "get", fail)

        assert client.get("/v1/documents").status_code == 503
        assert api.client.get("/v1/documents").status_code == 200

    def test_a_key_follows_its_author_under_the_name_they_were_merged_into(self, api: Api, bea: TestClient) -> None:
        api.client.post("/v1/authors/merge", json={"source": "bea", "target": "Beatrix"})

        items = bea.get("/v1/documents").json()["items"]

        assert [item["author"] for item in items] == ["beatrix"]


class TestForeignDocuments:
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_one_is_answered_like_one_that_never_was(self, api: Api, bea: TestClient, method: str) -> None:
        nobodys = document_id_of_client("nobodys-note")

        answers = {answer(bea, method, f"/v1/documents/{x}") for x in (ADAS, "adas-note", nobodys)}

        (told,) = answers
        assert told.startswith("404")
        assert api.documents.get(ADAS) is not None

    def test_one_is_not_overwritten(self, api: Api, bea: TestClient) -> None:
        response = bea.put("/v1/documents/adas-note", json={"type": "post", "text": "Mine.", "author": "Bea"})

        stored = api.documents.get(ADAS)
        assert response.status_code == 404
        assert stored is not None
        assert stored.text == HIDDEN

    def test_one_whose_deletion_is_on_its_way_is_not_seen_either(self, api: Api, bea: TestClient) -> None:
        api.client.delete("/v1/documents/adas-note")

        assert bea.get("/v1/documents/adas-note").status_code == 404
        assert api.client.get("/v1/documents/adas-note").status_code == 200

    @pytest.mark.parametrize("author", [{}, {"author": "Ada"}, {"author": "Nobody"}])
    def test_nothing_is_stored_under_another_name(self, api: Api, bea: TestClient, author: dict[str, str]) -> None:
        response = bea.put("/v1/documents/new", json={"type": "post", "text": "x", **author})

        assert response.status_code == 422
        assert response.json()["detail"] == "author: this key writes only for 'bea'; give one of these"
        assert api.documents.count() == 2

    def test_the_keys_own_are_stored_read_and_deleted(self, bea: TestClient) -> None:
        put = bea.put("/v1/documents/new", json={"type": "post", "text": "x", "author": "Bea"})
        got = bea.get("/v1/documents/new")
        deleted = bea.delete("/v1/documents/new")

        assert (put.status_code, got.json()["author"], deleted.status_code) == (202, "bea", 202)

    def test_the_list_is_as_if_there_were_none(self, bea: TestClient) -> None:
        items = bea.get("/v1/documents").json()["items"]

        assert [item["author"] for item in items] == ["bea"]
        assert bea.get("/v1/documents?author=ada").json() == bea.get("/v1/documents?author=nobody").json()

    def test_the_list_of_several_authors_is_in_id_order_over_its_pages(self, api: Api) -> None:
        for number in range(5):
            api.index(document(f"n{number}", "x", "Bea" if number % 2 else "Cleo"))
        client = client_with(api, create_key(api.records, "two", api.clock.now(), ("bea", "cleo")))

        pages = [client.get("/v1/documents?limit=2").json()]
        while pages[-1]["next"]:
            pages.append(client.get(f"/v1/documents?limit=2&cursor={pages[-1]['next']}").json())

        listed = [item["document_id"] for page in pages for item in page["items"]]
        assert listed == sorted(listed)
        assert len(listed) == 6


class TestForeignText:
    @pytest.mark.parametrize(
        "filters", [{}, {"author": "ada"}, {"authors": ["ada", "bea"]}, {"document_id": ADAS}, {"platform": "import"}]
    )
    def test_no_search_finds_it(self, bea: TestClient, filters: dict[str, object]) -> None:
        response = bea.post("/v1/search", json={"query": QUESTION, "limit": 100, "filters": filters})

        assert {hit["metadata"]["author"] for hit in response.json()["hits"]} <= {"bea"}
        assert "Mirza" not in response.text

    @pytest.mark.parametrize("twin", [{}, {"author": "ada"}, {"filters": {"document_id": ADAS}}])
    def test_no_answer_is_made_of_it(self, api: Api, bea: TestClient, twin: dict[str, object]) -> None:
        status, said = chat(bea, twin=twin)

        assert status == 200
        assert "Mirza" not in said
        assert ADAS not in said

    def test_its_authors_model_is_not_there(self, bea: TestClient) -> None:
        assert [model["id"] for model in bea.get("/v1/models").json()["data"]] == ["twin", "twin:bea"]
        assert {bea.get(f"/v1/models/twin:{name}").status_code for name in ("ada", "nobody")} == {404}
        status, said = chat(bea, "twin:ada")
        assert (status, said.replace("ada", "nobody")) == chat(bea, "twin:nobody")

    def test_the_counts_are_those_of_a_system_without_it(self, bea: TestClient) -> None:
        hers = bea.get("/v1/status").json()["counts"]
        alone = Api()
        alone.index(document("beas-note", "Bea keeps bees.", "Bea"))

        assert hers == alone.client.get("/v1/status").json()["counts"]


class TestForeignAuthors:
    def test_they_are_not_listed(self, bea: TestClient) -> None:
        assert [entry["author"]["id"] for entry in bea.get("/v1/authors").json()["items"]] == ["bea"]

    @pytest.mark.parametrize(("method", "rest"), [("DELETE", ""), ("GET", "/style")])
    def test_they_are_answered_like_nobody(self, api: Api, bea: TestClient, method: str, rest: str) -> None:
        answers = {answer(bea, method, f"/v1/authors/{name}{rest}") for name in ("ada", "nobody")}

        (told,) = answers
        assert told.startswith("404")
        assert api.documents.get(ADAS) is not None

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/v1/owner", {"name": "Bea"}),
            ("POST", "/v1/authors/merge", {"source": "ada", "target": "bea"}),
        ],
    )
    def test_what_is_about_the_whole_installation_is_no_route_for_a_bound_key(
        self, api: Api, bea: TestClient, method: str, path: str, body: dict[str, Any]
    ) -> None:
        response = bea.request(method, path, json=body)

        assert response.status_code == 404
        assert response.json()["detail"] == f"there is no route {path!r}; /docs lists them"
        assert api.documents.author_of(ADAS) == "ada"


class TestEvents:
    def test_only_the_keys_own_are_told(self, api: Api, bea: TestClient) -> None:
        heard = hear(
            api,
            lambda: api.index(document("adas-new", "Another secret.", "Ada")),
            lambda: api.index(document("beas-new", "More bees.", "Bea")),
            lambda: api.refuse(document("beas-note", "Bea keeps bees.", "Bea"), "because"),
            lambda: api.forget(document("adas-note", HIDDEN, "Ada")),
            client=bea,
        )

        lines = [line.removeprefix("data: ") for line in heard.splitlines() if line.startswith("data: ")]
        told = [json.loads(line) for line in lines]
        assert [(one["author"], one["status"], one["reason"]) for one in told] == [
            ("bea", "indexed", None),
            ("bea", "rejected", "because"),
        ]
        assert "event: indexed\n" in heard
        assert "ada" not in heard

    def test_a_stream_ends_with_its_key(self, api: Api, bea: TestClient) -> None:
        heard = hear(
            api,
            lambda: revoke_key(api.records, "bea", api.clock.now()),
            lambda: api.index(document("beas-new", "More bees.", "Bea")),
            client=bea,
        )

        assert "beas" not in heard
        assert "event:" not in heard
