from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from twin_contracts.chat import ChatMessage, ChatRequest, TextPart
from twin_contracts.http import DocumentInput, DocumentState, SearchRequest
from twin_contracts.records import RecordStatus

QUESTION = {"role": "user", "content": "What is a queue?"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (DocumentInput, {"text": "A queue.", "titel": "On queues"}),
        (SearchRequest, {"query": "queue", "top_k": 3}),
        (SearchRequest, {"query": "queue", "filters": {"autor": "ada"}}),
        (ChatRequest, {"messages": [QUESTION], "twin": {"autor": "ada"}}),
    ],
)
def test_a_misspelt_field_of_ours_is_refused(body: type[BaseModel], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        body.model_validate(fields)


def test_an_openai_field_that_means_nothing_here_is_ignored() -> None:
    assert ChatRequest.model_validate({"messages": [QUESTION], "service_tier": "auto"}) == ChatRequest.model_validate(
        {"messages": [QUESTION]}
    )


def test_names_that_crawled_data_sets_use_are_understood() -> None:
    body = {"content": "A queue.", "link": "https://example.com/q", "author_full_name": "Ada Lovelace"}

    understood = DocumentInput.model_validate(body)

    assert (understood.text, understood.url, understood.author) == ("A queue.", "https://example.com/q", "Ada Lovelace")


@pytest.mark.parametrize("query", ["", "  \n "])
def test_an_empty_question_is_refused(query: str) -> None:
    with pytest.raises(ValidationError, match="too_short"):
        SearchRequest(query=query)


@pytest.mark.parametrize(
    ("content", "plain"),
    [(None, ""), ("What?", "What?"), ((TextPart(text="What is"), TextPart(text="a queue?")), "What is\na queue?")],
)
def test_a_message_is_one_text_however_it_was_sent(content: str | tuple[TextPart, ...] | None, plain: str) -> None:
    assert ChatMessage(role="user", content=content).plain == plain


def test_every_status_of_a_record_is_a_state_of_its_document() -> None:
    assert {state.value for state in DocumentState} == {"pending"} | {status.value for status in RecordStatus}
