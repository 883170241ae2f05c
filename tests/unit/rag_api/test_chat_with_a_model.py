import pytest

from contract.conformance.language_model_contract import PROMPT
from fakes.api import Api
from fakes.model import ScriptedModel
from twin_contracts.chat import ChatCompletion
from twin_rag_api.cite import UNSOURCED
from twin_rag_api.compose import REFUSAL
from twin_rag_api.ports import Prompt
from unit.rag_api.test_chat import ASKED, CATS, ask, index


@pytest.fixture
def model(api: Api) -> ScriptedModel:
    model = ScriptedModel(lambda _: "They purr at 25 hertz [1].")
    api.use(model)
    index(api, "cats", CATS, url="https://example.org/cats")
    return model


def test_a_models_answer_cites_the_passages_it_names(api: Api, model: ScriptedModel) -> None:
    answer = ask(api, ASKED)

    message = answer.choices[0].message
    assert message.content == "They purr at 25 hertz [1]."
    assert [message.content[a.url_citation.start_index : a.url_citation.end_index] for a in message.annotations] == [
        "[1]"
    ]
    assert (answer.twin.answered, answer.twin.answered_by) == (True, "scripted")
    assert [(one.number, one.quote) for one in answer.twin.citations] == [(1, CATS.split("\n\n", maxsplit=1)[0])]
    assert answer.twin.unsourced == ()


def test_a_mark_of_no_passage_is_dropped_and_a_claim_without_one_is_told(api: Api, model: ScriptedModel) -> None:
    model.say = lambda _: "They purr [1]. They rule the world [7]."

    answer = ask(api, ASKED)

    content = answer.choices[0].message.content
    assert content == "They purr [1]. They rule the world."
    assert [content[span.start_index : span.end_index] for span in answer.twin.unsourced] == ["They rule the world."]
    assert len(answer.choices[0].message.annotations) == 1


def test_an_answer_that_cites_nothing_says_so_in_its_text(api: Api, model: ScriptedModel) -> None:
    model.say = lambda _: "They rule the world."

    answer = ask(api, ASKED)

    assert answer.choices[0].message.content == f"They rule the world.{UNSOURCED}"
    assert (answer.twin.answered, answer.twin.citations, len(answer.twin.unsourced)) == (True, (), 1)


def test_a_model_that_cannot_answer_refuses(api: Api, model: ScriptedModel) -> None:
    model.say = lambda _: REFUSAL

    answer = ask(api, ASKED)

    assert answer.choices[0].message.content == REFUSAL
    assert (answer.twin.answered, answer.twin.citations, answer.choices[0].message.annotations) == (False, (), ())


def test_where_nothing_is_found_no_model_is_asked(api: Api, model: ScriptedModel) -> None:
    answer = ask(api, ASKED, twin={"author": "nobody"})

    assert (answer.twin.answered, answer.choices[0].message.content) == (False, REFUSAL)
    assert model.prompts == []


@pytest.mark.parametrize("said", [0, 2])
def test_a_model_that_fails_is_replaced_by_quotes_and_the_answer_says_so(
    api: Api, model: ScriptedModel, said: int
) -> None:
    model.fails_after = said

    answer = ask(api, ASKED)

    assert answer.twin.answered_by == "extractive"
    assert answer.twin.citations[0].quote == "Cats purr at 25 hertz."
    assert answer.twin.skipped == ("the language model scripted broke off",)
    assert "twin_api_model_failures_total 1.0" in api.client.get("/metrics").text


def test_a_follow_up_is_searched_for_as_the_model_rewrites_it(api: Api, model: ScriptedModel) -> None:
    index(api, "dogs", "Dogs bark at 500 hertz.")
    rewritten = "At how many hertz do cats purr?"
    model.say = lambda prompt: rewritten if "Rewrite" in prompt.messages[0].content else "At 25 hertz [1]."

    answer = ask(api, "Do cats purr?", "Yes.", "And at how many hertz?")

    assert answer.twin.citations[0].quote.startswith("Cats purr at 25 hertz.")
    assert [turn.content for turn in model.prompts[1].messages[1:-1]] == ["Do cats purr?", "Yes."]


def test_a_follow_up_that_is_not_rewritten_is_searched_for_with_the_turn_before(api: Api, model: ScriptedModel) -> None:
    def say(prompt: Prompt) -> str:
        return "" if "Rewrite" in prompt.messages[0].content else "At 25 hertz [1]."

    model.say = say

    answer = ask(api, "Do cats purr?", "Yes.", "And at how many hertz?")

    assert answer.twin.citations[0].quote.startswith("Cats purr at 25 hertz.")
    assert answer.twin.skipped == ("rewriting the question: the language model scripted ended without a word",)


def test_what_steers_the_model_reaches_it_and_nothing_else(api: Api, model: ScriptedModel) -> None:
    sampling = {"temperature": 0.1, "stop": ["x"], "max_completion_tokens": 9, "response_format": {"type": "text"}}

    ask(api, ASKED, **sampling, user="ada", logprobs=True, parallel_tool_calls=False, metadata={"a": "b"})

    assert model.prompts[0].options == sampling


def test_the_clients_system_text_follows_ours(api: Api, model: ScriptedModel) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": ASKED}]

    api.client.post("/v1/chat/completions", json={"model": "twin", "messages": messages})

    assert model.prompts[0].messages[0].content.endswith("\n\nBe brief.")


def test_json_is_left_as_the_model_wrote_it(api: Api, model: ScriptedModel) -> None:
    model.say = lambda _: '{"hertz": [25], "why": "They say so [1] [9]."}'

    answer = ask(api, ASKED, response_format={"type": "json_object"})

    assert answer.choices[0].message.content == '{"hertz": [25], "why": "They say so [1] [9]."}'
    assert [citation.number for citation in answer.twin.citations] == [1]


def test_as_many_passages_as_asked_for_are_shown(api: Api, model: ScriptedModel) -> None:
    ask(api, ASKED, twin={"retrieval": {"limit": 1}})

    assert "<passage 1>" in model.prompts[0].messages[-1].content
    assert "<passage 2>" not in model.prompts[0].messages[-1].content


def test_a_question_above_the_models_context_is_refused_with_what_to_do(api: Api, model: ScriptedModel) -> None:
    body = {"messages": [{"role": "user", "content": "purr " * 5000}], "stream": True}

    response = api.client.post("/v1/chat/completions", json=body)

    assert response.status_code == 400
    assert "LLM_CONTEXT" in response.json()["error"]["message"]


def test_an_answer_that_was_cut_says_so(api: Api, model: ScriptedModel) -> None:
    model.finish_reason = "length"

    assert ask(api, ASKED).choices[0].finish_reason == "length"


def test_usage_is_always_there(api: Api, model: ScriptedModel) -> None:
    answer: ChatCompletion = ask(api, ASKED)

    assert answer.usage.prompt_tokens > len(PROMPT.messages)
    assert answer.usage.completion_tokens > 0
