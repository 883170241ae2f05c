import pytest

from fakes.api import Api
from twin_contracts.http import Problem
from twin_platform.documents.errors import DocumentTooLarge, StoreUnavailable
from twin_platform.errors import UnknownScheme


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("PATCH", "/v1/documents/a", 405), ("POST", "/healthz", 405)],
)
def test_the_frameworks_own_errors_are_problems(api: Api, method: str, path: str, status: int) -> None:
    response = api.client.request(method, path)

    problem = Problem.model_validate_json(response.content)
    assert (response.status_code, problem.status, problem.instance) == (status, status, path)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/chat/nothing", 404), ("PUT", "/v1/models/twin", 405)]
)
def test_the_frameworks_own_errors_have_openais_shape_under_its_paths(
    api: Api, method: str, path: str, status: int
) -> None:
    response = api.client.request(method, path)

    assert response.status_code == status
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"text": ', "invalid JSON at character 9"),
        (b'"text"', "must be a JSON object"),
        (b'{"text": "\xff"}', "UTF-8"),
        (b'{"text": "a\\u0000b"}', "NUL"),
        (b'{"text": "\\ud800"}', "text: "),
        (b'{"\\ud800": 1, "text": "a"}', "valid Unicode"),
        (b'{"text": "a", "titel": "b"}', "titel: Extra inputs"),
    ],
)
def test_a_body_that_makes_no_sense_says_what_to_do(api: Api, body: bytes, said: str) -> None:
    response = api.client.put("/v1/documents/a", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert said in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/documents/a%00b", None),
        ("GET", "/v1/documents?a%00b=1", None),
        ("POST", "/v1/search", {"query": "a", "a\0b": 1}),
        ("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}], "twin": {"a\0b": 1}}),
    ],
)
def test_what_no_text_can_hold_is_refused_as_any_other_mistake(
    api: Api, method: str, path: str, body: dict[str, object] | None
) -> None:
    response = api.client.request(method, path, json=body)

    assert response.status_code in {400, 422}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/v1/search", {"query": "a", "filters": {"types": ["poem"]}}, "filters.types.0: Input should be 'post'"),
        ("/v1/drafts", {"topic": "a", "voice": 1}, "voice: Input should be 'author'"),
        ("/v1/drafts", {}, "topic: Field required"),
    ],
)
def test_a_refusal_names_the_field(api: Api, path: str, body: dict[str, object], detail: str) -> None:
    assert api.client.post(path, json=body).json()["detail"].startswith(detail)


@pytest.mark.parametrize("header", [{"Content-Type": "application/x-www-form-urlencoded"}, {}])
def test_a_body_of_another_type_says_which_ones_there_are(api: Api, header: dict[str, str]) -> None:
    response = api.client.put("/v1/documents/a", content=b'{"text": "a"}', headers=header)

    assert response.status_code == 415
    assert "application/json, text/markdown, text/plain, text/html" in response.json()["detail"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DocumentTooLarge("a", 9_000_000, 8_388_608), 413),
        (StoreUnavailable("the database is locked"), 503),
        (UnknownScheme("document store", "x://", ("sqlite",)), 500),
    ],
)
def test_a_stores_error_keeps_its_sentence(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(api.documents, "get", fail)

    response = api.client.get("/v1/documents/a")

    assert response.status_code == status
    assert str(error) in response.json()["detail"]
    assert ("retry-after" in response.headers) == (status == 503)


def test_a_bug_leaves_as_a_problem_with_the_requests_id(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.documents, "get", lambda _: 1 / 0)
    client = api.client_of(api.parts)
    client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]

    response = client.get("/v1/documents/a", headers={"X-Request-Id": "mine-2"})

    assert response.status_code == 500
    assert response.headers["x-request-id"] == "mine-2"
    assert "X-Request-Id" in response.json()["detail"]
    assert 'twin_api_requests_total{route="/v1/documents/{id}",status="500"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/documents/a", "DELETE, GET, PUT"), ("/v1/events", "GET"), ("/v1/models", "GET"), ("/v1/owner", "GET, PUT")],
)
def test_a_method_that_a_path_does_not_take_is_told_all_that_it_takes(api: Api, path: str, methods: str) -> None:
    response = api.client.patch(path)

    assert (response.status_code, response.headers["allow"]) == (405, methods)
