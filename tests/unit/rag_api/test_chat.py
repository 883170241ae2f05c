import pytest

from fakes.api import OWNER, Api
from twin_contracts.base import DocumentId
from twin_contracts.chat import ChatCompletion
from twin_contracts.documents import Raw, document_id_of_client
from twin_contracts.http import DocumentInput
from twin_platform.features.port import FeatureHit, FeatureQuery
from twin_rag_api.compose import REFUSAL
from twin_rag_api.raw import raw_document

CATS = """Cats purr at 25 hertz. 🐈 They do it when they are content,
and also when they are hurt.

The cat door was invented by Isaac Newton. Nobody knows whether that is true."""
ASKED = "At how many hertz do cats purr?"


def index(api: Api, client_id: str, text: str, **fields: str) -> Raw:
    given = DocumentInput.model_validate({"title": client_id, "text": text, **fields})
    document = raw_document(document_id_of_client(client_id), given, OWNER)
    api.index(document)
    return document


def ask(api: Api, *turns: str, **fields: object) -> ChatCompletion:
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=False)]
    response = api.client.post("/v1/chat/completions", json={"model": "twin", "messages": messages, **fields})
    assert response.status_code == 200, response.text
    return ChatCompletion.model_validate_json(response.content)


def test_an_answer_quotes_its_document_character_for_character(api: Api) -> None:
    document = index(api, "cats", CATS, url="https://example.org/cats")

    answer = ask(api, ASKED)

    assert answer.twin.answered
    assert 1 <= len(answer.twin.citations) <= 3
    assert all(citation.quote in document.text for citation in answer.twin.citations)
    assert answer.twin.citations[0].quote == "Cats purr at 25 hertz."
    assert answer.twin.citations[0].document_id == document.id
    assert answer.choices[0].finish_reason == "stop"


def test_every_annotation_spans_its_mark_in_code_points(api: Api) -> None:
    index(api, "cats", "🐈🐈 Cats purr at 25 hertz. 🐈", url="https://example.org/cats")

    message = ask(api, ASKED).choices[0].message

    marks = [note.url_citation for note in message.annotations]
    assert [message.content[mark.start_index : mark.end_index] for mark in marks] == ["[1]"]
    assert (marks[0].url, marks[0].title) == ("https://example.org/cats", "cats")


def test_a_document_without_a_url_is_cited_by_its_own_address(api: Api) -> None:
    document = index(api, "cats", CATS)

    message = ask(api, ASKED).choices[0].message

    assert message.annotations[0].url_citation.url == f"http://testserver/v1/documents/{document.id}"


def test_what_no_text_answers_is_refused_without_citations(api: Api) -> None:
    index(api, "cats", CATS)

    answer = ask(api, "Who won the football championship in Brazil?")

    assert (answer.twin.answered, answer.twin.citations) == (False, ())
    assert (answer.choices[0].message.content, answer.choices[0].message.annotations) == (REFUSAL, ())


def test_an_empty_system_refuses(api: Api) -> None:
    answer = ask(api, ASKED)

    assert (answer.twin.answered, answer.twin.confidence) == (False, 0.0)


def test_a_follow_up_is_searched_with_the_turn_before_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    index(api, "cats", CATS)
    asked: list[FeatureQuery] = []
    search = api.features.search

    def remember(query: FeatureQuery) -> list[FeatureHit]:
        asked.append(query)
        return search(query)

    monkeypatch.setattr(api.features, "search", remember)

    answer = ask(api, "Do cats purr?", "Yes.", "And at how many hertz do they do it?")

    assert asked[0].text == "Do cats purr?\nAnd at how many hertz do they do it?"
    assert answer.twin.citations[0].quote == "Cats purr at 25 hertz."


@pytest.mark.parametrize("text", [None, "Cats purr at 99 hertz."])
def test_a_document_that_changed_after_the_search_is_not_quoted(
    api: Api, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    document = index(api, "cats", CATS)
    search = api.features.search

    def search_then_change(query: FeatureQuery) -> list[FeatureHit]:
        hits = search(query)
        if text is None:
            api.forget(document)
        else:
            api.index(document.model_copy(update={"text": text}))
        return hits

    monkeypatch.setattr(api.features, "search", search_then_change)

    assert not ask(api, ASKED).twin.answered


def test_the_same_sentence_in_two_documents_is_quoted_once(api: Api) -> None:
    index(api, "a", "Cats purr at 25 hertz.")
    index(api, "b", "Cats purr at 25 hertz.")

    assert [citation.quote for citation in ask(api, ASKED).twin.citations] == ["Cats purr at 25 hertz."]


def test_an_authors_model_answers_from_that_authors_documents(api: Api) -> None:
    adas: DocumentId = index(api, "a", "Cats purr at 30 hertz, I say.", author="Ada").id
    index(api, "b", "Cats purr at 25 hertz.")

    by_model = ask(api, ASKED, model="twin:ada")
    by_option = ask(api, ASKED, twin={"author": "ada"})

    for answer in (by_model, by_option):
        assert {citation.document_id for citation in answer.twin.citations} == {adas}
    assert by_model.model == "twin:ada"


def test_content_may_come_in_parts_and_unknown_openai_fields_are_ignored(api: Api) -> None:
    index(api, "cats", CATS)
    body = {
        "model": "twin",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "assistant", "content": None},
            {"role": "user", "content": [{"type": "text", "text": ASKED}]},
        ],
        "temperature": 0.3,
        "n": None,
        "stream": None,
        "tools": [],
        "tool_choice": "auto",
    }

    response = api.client.post("/v1/chat/completions", json=body)

    assert response.json()["twin"]["answered"]
    usage = response.json()["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": {"name": "f"}}, "tool_choice.type"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"twin": {"autor": "ada"}}, "twin.autor"),
    ],
)
def test_what_is_not_served_is_refused_in_openais_shape(api: Api, change: dict[str, object], param: str) -> None:
    body = {"model": "twin", "messages": [{"role": "user", "content": "Hi?"}]} | change

    response = api.client.post("/v1/chat/completions", json=body)

    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["message"].startswith(f"{param}: ")


def test_an_unknown_model_is_not_found(api: Api) -> None:
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hi?"}]}

    response = api.client.post("/v1/chat/completions", json=body)

    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
