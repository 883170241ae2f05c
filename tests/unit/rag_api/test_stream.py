"""Streamed answers, event by event."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from fakes.api import KEY, Api, app_of
from fakes.model import ScriptedModel
from fakes.openai_server import Script, Stub, openai_server
from fakes.served import served
from twin_contracts.chat import ChatCompletionChunk
from twin_platform.features.errors import FeaturesUnavailable
from twin_rag_api.adapters.openai_model import OpenAIModel
from twin_rag_api.compose import REFUSAL
from twin_rag_api.stream import kept_alive
from unit.rag_api.test_chat import ASKED, CATS, index

STREAMS = 100


@pytest.fixture
def stub() -> Iterator[Stub]:
    with openai_server() as stub:
        yield stub


def body_of(*turns: str, **fields: object) -> dict[str, object]:
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=False)]
    return {"model": "twin", "messages": messages, "stream": True, **fields}


def lines_of(api: Api, *turns: str, **fields: object) -> list[str]:
    response = api.client.post("/v1/chat/completions", json=body_of(*turns, **fields))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return [line for line in response.text.split("\n\n") if line]


def events_of(lines: list[str]) -> list[Any]:
    return [json.loads(line.removeprefix("data: ")) for line in lines if line != "data: [DONE]"]


@pytest.mark.parametrize("with_model", [False, True])
def test_the_events_come_in_the_order_that_clients_expect(api: Api, *, with_model: bool) -> None:
    index(api, "cats", CATS, url="https://example.org/cats")
    if with_model:
        api.use(ScriptedModel(lambda _: "🐈 They purr at 25 hertz [1]."))

    lines = lines_of(api, ASKED, stream_options={"include_usage": True})

    events = events_of(lines)
    role, *said, cited, finished, usage = events
    choices = [event["choices"][0] for event in events[:-1]]
    assert lines[-1] == "data: [DONE]"
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(list(event["choices"][0]["delta"]) == ["content"] for event in said)
    assert (cited["choices"][0]["delta"]["content"], finished["choices"][0]["delta"]) == ("", {})
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(events) - 2) + ["stop"]
    assert (usage["choices"], usage["usage"]["total_tokens"] > 0) == ([], True)
    assert all("usage" not in event for event in events[:-1])
    assert len({(event["id"], event["created"], event["model"], event["object"]) for event in events}) == 1
    text = "".join(event["choices"][0]["delta"]["content"] for event in said)
    marks = [each["url_citation"] for each in cited["choices"][0]["delta"]["annotations"]]
    numbers = [citation["number"] for citation in cited["twin"]["citations"]]
    assert numbers
    assert [text[mark["start_index"] : mark["end_index"]] for mark in marks] == [f"[{number}]" for number in numbers]
    assert cited["twin"]["answered"]
    for event in events:
        ChatCompletionChunk.model_validate(event)


def test_a_streamed_refusal_has_no_annotations(api: Api) -> None:
    events = events_of(lines_of(api, ASKED))

    assert [event["choices"][0]["delta"].get("content") for event in events] == ["", REFUSAL, "", None]
    assert events[2]["choices"][0]["delta"]["annotations"] == []
    assert events[2]["twin"]["answered"] is False


def test_usage_is_streamed_only_where_it_is_asked_for(api: Api) -> None:
    assert all("usage" not in event for event in events_of(lines_of(api, ASKED)))


def test_a_model_lost_before_its_first_word_is_replaced(api: Api) -> None:
    index(api, "cats", CATS)
    model = ScriptedModel(lambda _: "They purr [1].")
    model.fails_after = 0
    api.use(model)

    events = events_of(lines_of(api, ASKED))

    assert events[1]["choices"][0]["delta"]["content"].startswith("Cats purr at 25 hertz. [1]")
    assert events[2]["twin"]["skipped"] == ["the language model scripted broke off"]


def test_a_model_lost_after_its_first_word_ends_the_stream_with_an_error(api: Api) -> None:
    index(api, "cats", CATS)
    model = ScriptedModel(lambda _: "They purr [1].")
    model.fails_after = 2
    api.use(model)

    lines = lines_of(api, ASKED)

    *said, error = events_of(lines)
    assert error == {
        "error": {
            "message": "the language model scripted broke off",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }
    assert "[DONE]" not in lines[-1]
    assert [event["choices"][0]["finish_reason"] for event in said] == [None] * len(said)


def test_a_store_that_fails_ends_the_stream_with_an_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise FeaturesUnavailable("search", "gone")

    monkeypatch.setattr(api.features, "search", fail)

    events = events_of(lines_of(api, ASKED))

    assert "gone" in events[-1]["error"]["message"]


def test_what_is_wrong_with_a_request_is_said_before_the_stream_begins(api: Api) -> None:
    response = api.client.post("/v1/chat/completions", json=body_of(ASKED, model="twin:nobody"))

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


def test_a_comment_is_sent_while_nothing_else_is(api: Api) -> None:
    async def slow(go_on: asyncio.Event) -> AsyncGenerator[bytes, None]:
        yield b"one"
        await go_on.wait()
        yield b"two"

    async def listen() -> list[bytes]:
        go_on = asyncio.Event()
        heard = []
        async with aclosing(kept_alive(slow(go_on), 0.02)) as events:
            async for event in events:
                heard.append(event)
                if event.startswith(b":"):
                    go_on.set()
        return heard

    first, *comments, last = asyncio.run(listen())

    assert (first, last) == (b"one", b"two")
    assert {comment.decode() for comment in comments} == {": waiting for the language model\n\n"}


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_models_call_within_a_second(api: Api, stub: Stub, *, stream: bool) -> None:
    index(api, "cats", CATS)
    stub.script = lambda _: Script(pauses=(2,))
    api.use(OpenAIModel(stub.url, "stub", None, 3000))

    with served(app_of(api.parts)) as url, httpx.Client(headers={"Authorization": f"Bearer {KEY}"}) as client:
        if stream:
            with client.stream("POST", f"{url}/v1/chat/completions", json=body_of(ASKED)) as response:
                next(line for line in response.iter_lines() if "Cats" in line)
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post(f"{url}/v1/chat/completions", json=body_of(ASKED, stream=False), timeout=0.5)
        left = time.monotonic()
        assert stub.left.wait(1.0), f"the model was still busy {time.monotonic() - left:.1f} s later"


def test_a_hundred_streams_at_once_all_end_well(api: Api, stub: Stub) -> None:
    index(api, "cats", CATS)
    api.use(OpenAIModel(stub.url, "stub", None, 3000))
    ended: list[str] = []
    headers, limits = {"Authorization": f"Bearer {KEY}"}, httpx.Limits(max_connections=STREAMS)

    with served(app_of(api.parts)) as url, httpx.Client(headers=headers, limits=limits, timeout=60) as client:

        def listen() -> None:
            ended.append(client.post(f"{url}/v1/chat/completions", json=body_of(ASKED)).text)

        threads = [threading.Thread(target=listen) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(ended) == STREAMS
    assert {text.endswith("data: [DONE]\n\n") for text in ended} == {True}
