import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from contract.conformance.language_model_contract import PROMPT, reply
from fakes.openai_server import Body, Script, Stub, openai_server
from twin_rag_api.adapters import openai_model
from twin_rag_api.adapters.open_model import ModelSettings, open_model
from twin_rag_api.adapters.openai_model import OpenAIModel
from twin_rag_api.adapters.thoughts import Thoughts
from twin_rag_api.errors import ModelFailed, ModelNotChosen
from twin_rag_api.ports import Prompt

NOWHERE = "http://127.0.0.1:1/v1"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with openai_server() as stub:
        yield stub


def scripted(stub: Stub, script: Script, key: str | None = None) -> OpenAIModel:
    stub.script = lambda _: script
    return OpenAIModel(stub.url, "stub", key, 3000)


def text_of(model: OpenAIModel) -> str:
    return "".join(piece.text for piece in reply(model))


def failure_of(model: OpenAIModel) -> str:
    with pytest.raises(ModelFailed) as failed:
        reply(model)
    return failed.value.why


def test_the_prompt_its_options_and_the_key_arrive_as_they_are(stub: Stub) -> None:
    model = scripted(stub, Script(), key="secret")

    reply(model, Prompt(PROMPT.messages, {"temperature": 0.2, "stop": ["\n"]}))

    expected: Body = {
        "model": "stub",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Do cats purr?"}],
        "temperature": 0.2,
        "stop": ["\n"],
        "stream": True,
    }
    assert stub.bodies == [{**expected, "stream_options": {"include_usage": True}}]
    assert stub.keys == ["Bearer secret"]


def test_usage_is_the_servers_and_missing_usage_is_none(stub: Stub) -> None:
    usages = [piece.usage for piece in reply(scripted(stub, Script())) if piece.usage]
    without = [piece.usage for piece in reply(scripted(stub, Script(with_usage=False))) if piece.usage]

    assert [(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) for usage in usages] == [(11, 6, 17)]
    assert without == []


def test_an_answer_that_was_cut_says_so(stub: Stub) -> None:
    assert reply(scripted(stub, Script(finish_reason="length")))[-1].finish_reason == "length"


def test_only_a_line_feed_ends_an_event(stub: Stub) -> None:
    assert text_of(scripted(stub, Script(("Cats\u2028purr", "\x85", "🐈")))) == "Cats\u2028purr\x85🐈"


def test_what_no_store_can_hold_is_not_said(stub: Stub) -> None:
    assert text_of(scripted(stub, Script(("a\x00b",)))) == "ab"


def test_reasoning_is_not_said(stub: Stub) -> None:
    script = Script(("<thi", "nk>They pu", "rr [1].</th", "ink>\n\nYes", " <b>.</b>"), reasoning=("Hm.",))

    assert text_of(scripted(stub, script)) == "Yes <b>.</b>"


def test_reasoning_without_its_beginning_is_no_answer(stub: Stub) -> None:
    assert "reasoning" in failure_of(scripted(stub, Script(("They purr.", "</think>", "Yes."))))


def test_nothing_but_reasoning_is_no_answer(stub: Stub) -> None:
    assert failure_of(scripted(stub, Script(("<think>", "They purr.")))) == "ended without a word"


@pytest.mark.parametrize("size", range(1, 12))
def test_tags_are_found_wherever_a_text_is_cut(size: int) -> None:
    text = "a<think>b</think>c<<thinking>"
    thoughts = Thoughts()

    said = "".join(thoughts.feed(text[at : at + size]) for at in range(0, len(text), size)) + thoughts.end()

    assert said == "ac<<thinking>"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(status=500), "answers with HTTP status 500"),
        (Script(status=500, raw=b"<html>" + b"x" * 5000), "answers with HTTP status 500"),
        (Script(raw=b"<html>Hello</html>"), "broke off before its end"),
        (Script(raw=b"data: {{{\n\n"), "no chat completion"),
        (Script(raw=b'data: {"choices": 7}\n\n'), "no chat completion"),
        (Script(raw=b"data: " + b"x" * 1_500_000), "no chat completion"),
        (Script(raw=b'data: {"error": {"message": "out of memory"}}\n\n'), "out of memory"),
        (Script(raw=b"\xff\xfe\x00"), "broke off"),
        (Script(dies_before=0), "broke off"),
        (Script(dies_before=3), "broke off"),
        (Script(dies_before=99), "broke off"),
        (Script(("", " ", "\n")), "ended without a word"),
    ],
)
def test_whatever_goes_wrong_is_told_in_a_sentence(stub: Stub, script: Script, why: str) -> None:
    said = failure_of(scripted(stub, script))

    assert why in said
    assert len(said) < 300


def test_a_refusal_that_quotes_the_key_does_not_show_it(stub: Stub) -> None:
    model = scripted(stub, Script(status=401, raw=b"no such key: sk-hidden"), key="sk-hidden")

    assert failure_of(model) == "answers with HTTP status 401: no such key: ***"


def test_a_server_that_is_not_there_is_said_to_be_unreachable() -> None:
    assert failure_of(OpenAIModel(NOWHERE, "m", None, 3000)) == "cannot be reached"


def test_a_model_that_keeps_the_line_open_and_says_nothing_is_given_up(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_model, "FIRST_TOKEN_SECONDS", 0.05)

    assert failure_of(scripted(stub, Script(pauses=(0,), comments=3))) == "said nothing for 0.05 s"


def test_between_two_tokens_patience_is_shorter(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_model, "NEXT_TOKEN_SECONDS", 0.05)

    assert failure_of(scripted(stub, Script(pauses=(2,)))) == "said nothing for 0.05 s"


def test_closing_the_stream_closes_the_connection_within_a_second(stub: Stub) -> None:
    model = scripted(stub, Script(pauses=(2,)))

    async def hear_one_piece() -> None:
        async with aclosing(model.stream(PROMPT)) as pieces:
            await anext(pieces)

    asyncio.run(hear_one_piece())
    began = time.monotonic()

    assert stub.left.wait(1.0), f"still connected after {time.monotonic() - began:.1f} s"


def test_the_only_model_of_a_server_is_the_one_that_is_asked(stub: Stub) -> None:
    model = OpenAIModel(stub.url.removesuffix("/v1"), None, None, 3000)

    reply(model)

    assert model.name == "stub"
    assert stub.bodies[0]["model"] == "stub"


def test_of_several_models_none_is_guessed(stub: Stub) -> None:
    stub.models = ("llama", "qwen")
    said: list[str] = []

    with pytest.raises(ModelNotChosen, match=r"serves llama, qwen; set LLM_MODEL"):
        open_model(ModelSettings(url=stub.url), said.append)

    assert "llama, qwen" in failure_of(OpenAIModel(stub.url, None, None, 3000))


def test_a_configured_server_that_does_not_answer_yet_is_kept() -> None:
    said: list[str] = []

    model = open_model(ModelSettings(url=NOWHERE), said.append)

    assert model is not None
    assert "cannot be reached" in said[0]


def test_who_writes_answers_is_said_and_where_passages_go(stub: Stub) -> None:
    here: list[str] = []
    there: list[str] = []

    open_model(ModelSettings(url=stub.url), here.append)
    open_model(ModelSettings(url="https://llm.example/v1", model="big"), there.append)

    assert here == ["answers are written by the language model stub at 127.0.0.1"]
    assert "big at llm.example" in there[0]
    assert "sent to llm.example" in there[1]
    assert "not redacted" in there[1]


def test_an_ollama_on_this_machine_is_used_without_being_asked_for(stub: Stub) -> None:
    model = open_model(ModelSettings(), lambda _: None, stub.url)

    assert model is not None
    assert model.name == "stub"


@pytest.mark.parametrize("models", [(), ("llama", "qwen")])
def test_an_ollama_without_one_model_to_take_is_left_alone(stub: Stub, models: tuple[str, ...]) -> None:
    stub.models = models

    assert open_model(ModelSettings(), lambda _: None, stub.url) is None


def test_where_no_ollama_runs_nothing_is_said() -> None:
    said: list[str] = []

    assert open_model(ModelSettings(), said.append, NOWHERE) is None
    assert said == []
