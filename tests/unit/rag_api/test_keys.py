"""Keys and the owner over HTTP: for the installation's own key alone."""

from datetime import timedelta

import pytest

from fakes.api import KEY, Api
from twin_platform.records.keys import create_key, find_key


@pytest.fixture
def api() -> Api:
    return Api()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_new_keys_text_is_in_one_answer_and_opens_the_api(api: Api) -> None:
    ends = api.clock.now() + timedelta(days=30)

    made = api.client.post(
        "/v1/keys", json={"name": "blog", "authors": ["Ada Lovelace"], "expires_at": ends.isoformat()}
    )

    text = made.json()["key"]
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.json()["authors"] == ["ada-lovelace"]
    assert api.client.get("/v1/documents", headers=bearer(text)).status_code == 200
    stored = find_key(api.records, text)
    assert stored is not None
    assert stored.expires_at == ends
    listed = api.client.get("/v1/keys").text
    assert '"blog"' in listed
    assert text not in listed
    assert stored.secret_hash not in listed


def test_a_name_is_free_again_once_its_key_is_revoked(api: Api) -> None:
    text = api.client.post("/v1/keys", json={"name": "blog"}).json()["key"]
    taken = api.client.post("/v1/keys", json={"name": "blog"})

    revoked = api.client.delete("/v1/keys/blog")

    assert taken.status_code == 409
    assert taken.json()["detail"] == "there is a key named 'blog'; revoke it first or take another name"
    assert revoked.json()["revoked_at"] is not None
    assert "secret_hash" not in revoked.json()
    assert api.client.get("/v1/documents", headers=bearer(text)).status_code == 401
    assert api.client.post("/v1/keys", json={"name": "blog"}).status_code == 201


def test_a_key_that_nobody_made_cannot_be_revoked(api: Api) -> None:
    answer = api.client.delete("/v1/keys/blog")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no valid key named 'blog'; these are valid: none"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "two words"},
        {"name": "blog", "authors": []},
        {"name": "blog", "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "blog", "key": "mine"},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(api: Api, body: dict[str, object]) -> None:
    assert api.client.post("/v1/keys", json=body).status_code == 422


def test_whose_the_installation_is_can_be_asked_and_said(api: Api) -> None:
    before = api.client.get("/v1/owner").json()

    after = api.client.put("/v1/owner", json={"name": "Ada Lovelace"}).json()

    assert (before["id"], after["id"]) == ("olga-owner", "ada-lovelace")


@pytest.mark.parametrize("authors", [None, ("olga-owner",)])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"name": "another"}),
        ("DELETE", "/v1/keys/app", None),
        ("GET", "/v1/owner", None),
        ("PUT", "/v1/owner", {"name": "Mallory"}),
    ],
)
def test_another_key_finds_no_such_route_whatever_it_sees(
    api: Api, authors: tuple[str, ...] | None, method: str, path: str, body: object
) -> None:
    key = create_key(api.records, "app", api.clock.now(), authors)

    answer = api.client.request(method, path, json=body, headers=bearer(key))

    assert answer.status_code == 404
    assert answer.json()["detail"] == f"there is no route {path!r}; /docs lists them"


def test_a_stored_key_named_owner_is_not_the_owners(api: Api) -> None:
    key = create_key(api.records, "owner", api.clock.now())

    assert api.client.get("/v1/keys", headers=bearer(key)).status_code == 404
    assert api.client.get("/v1/keys", headers=bearer(KEY)).status_code == 200
