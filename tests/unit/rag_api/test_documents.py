from threading import Timer

import pytest

from fakes.api import OWNER, Api
from twin_contracts.base import DocumentId
from twin_contracts.documents import (
    MAX_DOCUMENT_BYTES,
    DocumentType,
    Raw,
    RawArticle,
    RawCode,
    RawPost,
    TextFormat,
    document_id_of,
    document_id_of_client,
)
from twin_contracts.http import DocumentInput
from twin_platform.documents.bodies import body_of
from twin_rag_api.raw import raw_document

CLIENTS = document_id_of_client("my.note~1")


def test_a_document_is_stored_before_it_is_accepted(api: Api) -> None:
    response = api.client.put("/v1/documents/my.note~1", json={"type": "post", "text": "Hello."})

    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/documents/{CLIENTS}"
    assert response.json()["status"] == "pending"
    stored = api.documents.get(CLIENTS)
    assert isinstance(stored, RawPost)
    assert (stored.text, stored.author) == ("Hello.", OWNER)


def test_a_document_id_names_itself(api: Api) -> None:
    document_id = document_id_of("https://example.org/a")

    api.client.put(f"/v1/documents/{document_id}", json={"type": "post", "text": "Hello."})

    assert api.documents.get(document_id) is not None


def test_the_same_document_again_keeps_its_status(api: Api) -> None:
    body = {"type": "post", "text": "Hello."}
    api.client.put("/v1/documents/a", json=body)
    api.index(raw_document(document_id_of_client("a"), DocumentInput.model_validate(body), OWNER))

    response = api.client.put("/v1/documents/a", json=body)

    assert (response.status_code, response.json()["status"], response.json()["chunks"]) == (202, "indexed", 1)


def test_a_documents_event_is_known_to_be_in_the_log_once_cdc_has_published_or_the_flow_applied_it(api: Api) -> None:
    def captured() -> object:
        return api.client.get("/v1/documents/note").json()["captured"]

    api.captured = False
    put = api.client.put("/v1/documents/note", json={"title": "Bees", "text": "They hum."}).json()
    before = captured()
    api.captured = True
    published = captured()
    api.captured = False
    stored = api.documents.get(put["document_id"])
    assert stored is not None
    api.index(stored)

    assert (put["captured"], before, published, captured()) == (None, False, True, True)


def test_a_changed_document_is_pending_until_its_own_revision_is_indexed(api: Api) -> None:
    api.index(post("a", "Old."))

    response = api.client.put("/v1/documents/a", json={"type": "post", "text": "New."})

    assert response.json()["status"] == "pending"
    assert response.json()["chunks"] == 0


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"text": "x", "title": "Given"}, "Given"),
        ({"text": "Some words.\n\n## The  *first* heading ##\n"}, "The *first* heading"),
        ({"text": "\n  First line\nSecond"}, "First line"),
        ({"text": "<p>a</p><h1 class='b'>Cats &amp; <i>dogs</i></h1>", "format": "html"}, "Cats & dogs"),
        ({"text": "<p>Only this.</p>", "format": "html"}, "Only this."),
        ({"text": "---\ntitle: 'In front'\n---\nText."}, "In front"),
    ],
)
def test_an_article_without_a_title_takes_it_from_its_text(api: Api, body: dict[str, str], title: str) -> None:
    api.client.put("/v1/documents/a", json=body)

    stored = api.documents.get(document_id_of_client("a"))
    assert isinstance(stored, RawArticle)
    assert stored.title == title


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": " \n "}, "title"),
        ({"type": "code", "text": "x = 1", "path": "a.py"}, "repository"),
        ({"type": "code", "text": "x = 1", "repository": "r", "path": ""}, "path"),
        ({"type": "poem", "text": "x"}, "type"),
        ({"title": "x"}, "text"),
    ],
)
def test_what_a_type_needs_is_asked_for_by_name(api: Api, body: dict[str, str], field: str) -> None:
    response = api.client.put("/v1/documents/a", json=body)

    assert response.status_code == 422
    assert response.json()["detail"].startswith(f"{field}: ")


def test_code_keeps_its_place(api: Api) -> None:
    api.client.put("/v1/documents/a", json={"type": "code", "text": "x = 1", "repository": "r", "path": "a.py"})

    stored = api.documents.get(document_id_of_client("a"))
    assert isinstance(stored, RawCode)
    assert (stored.repository, stored.path) == ("r", "a.py")


@pytest.mark.parametrize("given_id", ["a b", "x" * 201, "ä", "a%0A"])
def test_an_id_that_no_client_may_choose_is_refused(api: Api, given_id: str) -> None:
    response = api.client.put(f"/v1/documents/{given_id}", json={"type": "post", "text": "x"})

    assert response.status_code == 422
    assert response.json()["detail"].startswith("id: ")


def test_waiting_ends_when_the_document_is_indexed(api: Api) -> None:
    document = post("a", "Hello.")
    api.documents.upsert(document)
    flow = Timer(0.05, api.index, [document])
    flow.start()

    response = api.client.get("/v1/documents/a?wait=indexed&timeout=10")

    flow.join()
    assert (response.status_code, response.json()["status"]) == (200, "indexed")


def test_waiting_ends_with_the_reason_when_the_document_is_refused(api: Api) -> None:
    document = post("a", " ")
    api.documents.upsert(document)
    api.refuse(document, "nothing is left of it")

    status = api.client.get("/v1/documents/a?wait=indexed&timeout=10").json()

    assert (status["status"], status["stage"], status["reason"]) == ("rejected", "clean", "nothing is left of it")


def test_a_wait_that_is_over_says_how_it_is_now(api: Api) -> None:
    api.documents.upsert(post("a", "Hello."))

    response = api.client.get("/v1/documents/a?wait=indexed&timeout=0.03")

    assert (response.status_code, response.json()["status"]) == (200, "pending")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_document_that_never_was_is_not_found(api: Api, method: str) -> None:
    response = api.client.request(method, "/v1/documents/nothing")

    assert response.status_code == 404
    assert "never stored" in response.json()["detail"]


def test_a_deletion_is_pending_until_its_chunks_are_gone(api: Api) -> None:
    document = post("a", "Hello.")
    api.index(document)

    accepted = api.client.delete("/v1/documents/a")
    on_its_way = api.client.get("/v1/documents/a")
    api.forget(document)
    gone = api.client.get("/v1/documents/a")

    assert (accepted.status_code, accepted.json()["status"]) == (202, "pending")
    assert on_its_way.json()["status"] == "pending"
    assert gone.status_code == 404
    assert api.client.delete("/v1/documents/a").status_code == 404


def test_the_list_has_every_document_once_over_its_pages(api: Api) -> None:
    for number in range(5):
        api.documents.upsert(post(f"n{number}", "Hello."))
    api.index(post("n0", "Hello."))

    pages = [api.client.get("/v1/documents?limit=2").json()]
    while pages[-1]["next"]:
        pages.append(api.client.get(f"/v1/documents?limit=2&cursor={pages[-1]['next']}").json())

    listed = {item["document_id"]: item["status"] for page in pages for item in page["items"]}
    expected = {document_id_of_client(f"n{number}"): "pending" for number in range(5)}
    assert listed == expected | {document_id_of_client("n0"): "indexed"}
    assert [len(page["items"]) for page in pages] == [2, 2, 1]


def test_the_list_is_narrowed_by_author_and_type(api: Api) -> None:
    api.client.put("/v1/documents/a", json={"type": "post", "text": "x", "author": "Ada Lovelace"})
    api.client.put("/v1/documents/b", json={"type": "post", "text": "x"})
    api.client.put("/v1/documents/c", json={"text": "x", "author": "Ada Lovelace"})

    items = api.client.get("/v1/documents?author=ada-lovelace&type=post").json()["items"]

    assert [item["document_id"] for item in items] == [document_id_of_client("a")]


def post(client_id: str, text: str) -> RawPost:
    document = raw_document(document_id_of_client(client_id), DocumentInput(type="post", text=text), OWNER)
    assert isinstance(document, RawPost)
    return document


@pytest.mark.parametrize(
    ("media_type", "body", "text_format", "title"),
    [
        ("text/markdown", b"# On bees\n\nThey hum.", "markdown", "On bees"),
        ("text/plain", b"\xef\xbb\xbfOn bees\nThey hum.", "plain", "On bees"),
        ("text/html; charset=ISO-8859-1", b"<h1>B\xeaes</h1><p>They hum.", "html", "Bêes"),
    ],
)
def test_a_file_is_a_document(api: Api, media_type: str, body: bytes, text_format: str, title: str) -> None:
    for _ in range(2):
        response = api.client.put(
            "/v1/documents/a?author=Ada&url=https://example.org/a", content=body, headers={"Content-Type": media_type}
        )

    stored = api.documents.get(document_id_of_client("a"))
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/documents/{document_id_of_client('a')}"
    assert isinstance(stored, RawArticle)
    assert (stored.format, stored.title, stored.author.id) == (text_format, title, "ada")
    assert stored.source.url == "https://example.org/a"


def test_a_source_file_is_described_in_the_query(api: Api) -> None:
    query = "?type=code&repository=r&path=src/a.py"
    api.client.put(f"/v1/documents/a{query}", content=b"x = 1\n", headers={"Content-Type": "text/plain"})

    stored = api.documents.get(document_id_of_client("a"))
    assert isinstance(stored, RawCode)
    assert (stored.text, stored.path) == ("x = 1\n", "src/a.py")


def test_what_the_body_says_goes_before_the_query(api: Api) -> None:
    api.client.put("/v1/documents/a?title=No&subtitle=Yes", json={"text": "x", "title": "Said"})

    stored = api.documents.get(document_id_of_client("a"))
    assert isinstance(stored, RawArticle)
    assert (stored.title, stored.subtitle) == ("Said", "Yes")


@pytest.mark.parametrize(
    ("media_type", "said"),
    [("text/plain", "no text in 'utf-8'"), ("text/plain; charset=none", "no text in 'none'")],
)
def test_a_file_that_is_no_text_is_refused(api: Api, media_type: str, said: str) -> None:
    response = api.client.put("/v1/documents/a", content=b"\xff\xfe", headers={"Content-Type": media_type})

    assert response.status_code == 422
    assert said in response.json()["detail"]


@pytest.mark.parametrize(
    ("query", "said"),
    [("?wat=indexed", "wat: there is no such query parameter"), ("?timeout=1&timeout=2", "timeout: the query has it")],
)
def test_a_slip_in_the_query_does_not_go_unnoticed(api: Api, query: str, said: str) -> None:
    response = api.client.get(f"/v1/documents/a{query}")

    assert response.status_code == 422
    assert said in response.json()["detail"]


def test_waiting_does_not_read_the_document_again_and_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.documents.upsert(post("a", "Hello."))
    read: list[DocumentId] = []
    get = api.documents.get

    def counted(document_id: DocumentId) -> Raw | None:
        read.append(document_id)
        return get(document_id)

    monkeypatch.setattr(api.documents, "get", counted)

    api.client.get("/v1/documents/a?wait=indexed&timeout=0.5")

    assert len(read) <= 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (rb'{"text": "ab\ud800c"}', r"text: it holds '\ud800' at character 2, which is half of a character; remove it"),
        (
            rb'{"text": "a\u0000b"}',
            "text: it holds a NUL character, which no store can carry: it is no text, or text in",
        ),
        (rb'{"text": "\ud83d"}', r"text: it holds '\ud83d' at character 0, which is half of a character; remove it"),
        ("{'text': 'x'}".encode("utf-16"), "body: "),
        (b"[" * 100_000, "body: it cannot be read; send JSON in UTF-8"),
        (b'{"text": ', "body: invalid JSON at character 9: Expecting value"),
        (b"", "body: invalid JSON at character 0: Expecting value"),
        (b'{"text": NaN}', "text: Input should be a valid string"),
    ],
)
def test_a_body_that_is_no_text_is_refused_with_its_fault(api: Api, body: bytes, said: str) -> None:
    response = api.client.put("/v1/documents/a", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert response.json()["detail"].startswith(said)


@pytest.mark.parametrize("text", ["🙂", "👩\u200d👩\u200d👧", "\u0301\u0323", "a\r\nb\rc\n", "a\u202eb", "\x07"])
def test_whatever_is_text_is_kept_as_it_came(api: Api, text: str) -> None:
    api.client.put("/v1/documents/a", json={"type": "post", "text": text})
    api.client.put("/v1/documents/b?type=post", content=text.encode(), headers={"Content-Type": "text/plain"})

    for name in ("a", "b"):
        stored = api.documents.get(document_id_of_client(name))
        assert stored is not None
        assert stored.text == text


@pytest.mark.parametrize(("letter", "own"), [("a", 1), ("é", 2), ("🙂", 4), ('"', 2)])
def test_a_document_of_8_mib_is_kept_and_one_byte_more_is_refused_with_both_sizes(
    api: Api, letter: str, own: int
) -> None:
    empty = DocumentInput(type=DocumentType.POST, text="", format=TextFormat.PLAIN)
    room = MAX_DOCUMENT_BYTES - len(body_of(raw_document(document_id_of_client("a"), empty, OWNER), api.clock.now()))
    text = letter * (room // own) + "a" * (room % own)

    kept = api.client.put("/v1/documents/a?type=post", content=text.encode(), headers={"Content-Type": "text/plain"})
    refused = api.client.put(
        "/v1/documents/a?type=post", content=(text + "a").encode(), headers={"Content-Type": "text/plain"}
    )

    assert (kept.status_code, refused.status_code) == (202, 413)
    assert refused.json()["detail"] == (
        f"document {document_id_of_client('a')!r} has 8,388,609 bytes as JSON, its title and addresses included, more "
        "than the 8,388,608 of one document; split it"
    )


@pytest.mark.parametrize("unit", ["# ", "#  ", "<h1>", "<title ", "<", "&lt;", "\n", "🙂"])
@pytest.mark.parametrize("text_format", list(TextFormat))
@pytest.mark.timeout(5)
def test_no_text_keeps_the_others_waiting_for_its_title(text_format: TextFormat, unit: str) -> None:
    given = DocumentInput(text=unit * (300_000 // len(unit)) + "x!", format=text_format)

    document = raw_document(document_id_of_client("a"), given, OWNER)

    assert isinstance(document, RawArticle)
    assert 0 < len(document.title) <= 200
