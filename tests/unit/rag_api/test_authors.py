import pytest

from fakes.api import OWNER, Api
from twin_contracts.documents import AuthorRef, RawPost, Source, document_id_of, document_id_of_client
from twin_platform.records.authors import owner_of, set_owner
from twin_platform.records.keys import create_key

ADA, A_L = AuthorRef.of("Ada Lovelace"), AuthorRef.of("A. Lovelace")


def store(api: Api, name: str, author: AuthorRef) -> None:
    api.documents.upsert(RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text="Hello."))


def entries(api: Api) -> dict[str, tuple[int, bool, list[str]]]:
    items = api.client.get("/v1/authors").json()["items"]
    return {one["author"]["name"]: (one["documents"], one["owner"], one["spellings"]) for one in items}


def merge(api: Api, source: str, target: str) -> dict[str, object]:
    response = api.client.post("/v1/authors/merge", json={"source": source, "target": target})
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


def test_the_list_has_everybody_with_a_document_and_the_owner(api: Api) -> None:
    store(api, "a", ADA)
    store(api, "b", ADA)

    assert entries(api) == {"Ada Lovelace": (2, False, []), OWNER.name: (0, True, [])}


def test_the_owner_that_is_set_is_stored(api: Api) -> None:
    response = api.client.put("/v1/owner", json={"name": "Ada Lovelace"})

    assert (response.status_code, response.json()) == (200, ADA.model_dump())
    assert owner_of(api.records, otherwise=OWNER) == ADA


def test_an_authors_id_names_them_as_well_as_their_name(api: Api) -> None:
    store(api, "a", ADA)

    assert api.client.put("/v1/owner", json={"name": "ada-lovelace"}).json() == ADA.model_dump()


def test_an_author_who_was_merged_owns_under_the_other_name(api: Api) -> None:
    merge(api, "A. Lovelace", "Ada Lovelace")

    assert api.client.put("/v1/owner", json={"name": "A. Lovelace"}).json() == ADA.model_dump()


def test_a_merge_moves_documents_and_shows_the_spelling(api: Api) -> None:
    store(api, "a", A_L)
    store(api, "b", ADA)

    merged = merge(api, "a-lovelace", "ada-lovelace")

    assert merged == {"author": ADA.model_dump(), "moved": 1, "left": 0}
    assert entries(api)["Ada Lovelace"] == (2, False, ["a-lovelace"])


def test_what_arrives_under_a_merged_name_is_the_other_ones(api: Api) -> None:
    merge(api, "A. Lovelace", "Ada Lovelace")

    api.client.put("/v1/documents/x", json={"type": "post", "text": "Hello.", "author": "A. Lovelace"})

    stored = api.documents.get(document_id_of_client("x"))
    assert stored is not None
    assert stored.author == ADA


def test_the_owner_who_was_merged_is_the_other_one(api: Api) -> None:
    set_owner(api.records, A_L)

    merge(api, "A. Lovelace", "Ada Lovelace")

    assert owner_of(api.records, otherwise=OWNER) == ADA


def test_a_large_merge_says_what_is_left(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin_rag_api.authors._STEP", 2)
    for name in "abc":
        store(api, name, A_L)

    steps = [merge(api, "A. Lovelace", "Ada Lovelace") for _ in range(2)]

    assert [(step["moved"], step["left"]) for step in steps] == [(2, 1), (1, 0)]


def test_merging_into_a_merged_name_means_the_one_it_goes_by(api: Api) -> None:
    merge(api, "A. Lovelace", "Ada Lovelace")

    assert merge(api, "Countess", "A. Lovelace")["author"] == ADA.model_dump()


def test_a_merged_name_finds_what_is_the_other_ones_now(api: Api) -> None:
    document = RawPost(id=document_id_of("a"), author=ADA, source=Source(platform="test"), text="Cats purr at 5 hertz.")
    api.index(document)
    merge(api, "A. Lovelace", "Ada Lovelace")
    filters, question = {"author": "a-lovelace"}, [{"role": "user", "content": "At how many hertz do cats purr?"}]

    listed = api.client.get("/v1/documents", params=filters).json()["items"]
    found = api.client.post("/v1/search", json={"query": "cats", "filters": filters}).json()["hits"]
    any_of = api.client.post("/v1/search", json={"query": "cats", "filters": {"authors": ["a-lovelace", "x"]}})
    answered = [
        api.client.post("/v1/chat/completions", json={"messages": question} | how).json()["twin"]["citations"]
        for how in ({"model": "twin:a-lovelace"}, {"twin": filters}, {"twin": {"filters": filters}})
    ]

    assert [one["document_id"] for one in (*listed, *found, *any_of.json()["hits"])] == [document.id] * 3
    assert [cited[0]["document_id"] for cited in answered] == [document.id] * 3


def test_a_merge_the_other_way_round_takes_the_first_one_back(api: Api) -> None:
    store(api, "a", A_L)
    merge(api, "A. Lovelace", "Ada Lovelace")

    merged = merge(api, "Ada Lovelace", "A. Lovelace")

    assert (merged["author"], merged["moved"]) == (A_L.model_dump(), 1)
    assert entries(api)["A. Lovelace"] == (1, False, ["ada-lovelace"])


def test_one_author_cannot_be_merged(api: Api) -> None:
    body = {"source": "ADA lovelace", "target": "Ada Lovelace"}

    response = api.client.post("/v1/authors/merge", json=body)

    assert response.status_code == 422
    assert response.json()["detail"] == "target: 'ADA lovelace' and 'Ada Lovelace' are one author already"


class TestBoundKey:
    @pytest.fixture
    def bound(self, api: Api) -> dict[str, str]:
        store(api, "a", ADA)
        store(api, "b", AuthorRef.of("Bob"))
        return {"Authorization": f"Bearer {create_key(api.records, 'app', api.clock.now(), ('bob',))}"}

    def test_it_lists_its_own_authors_alone(self, api: Api, bound: dict[str, str]) -> None:
        items = api.client.get("/v1/authors", headers=bound).json()["items"]

        assert [item["author"]["id"] for item in items] == ["bob"]

    def test_another_authors_card_is_not_there(self, api: Api, bound: dict[str, str]) -> None:
        there = api.client.get("/v1/authors/ada-lovelace/style", headers=bound)
        never = api.client.get("/v1/authors/nobody/style", headers=bound)

        assert (there.status_code, never.status_code) == (404, 404)
        assert there.json()["detail"].replace("ada-lovelace", "nobody") == never.json()["detail"]

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/v1/owner", {"name": "Bob"}),
            ("POST", "/v1/authors/merge", {"source": "Ada Lovelace", "target": "Bob"}),
        ],
    )
    def test_it_changes_nothing_about_authors(
        self, api: Api, bound: dict[str, str], method: str, path: str, body: dict[str, str]
    ) -> None:
        assert api.client.request(method, path, headers=bound, json=body).status_code == 404
        assert owner_of(api.records, otherwise=OWNER) == OWNER
        assert entries(api)["Ada Lovelace"] == (1, False, [])
