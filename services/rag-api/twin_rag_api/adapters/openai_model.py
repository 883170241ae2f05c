"""A language model behind any server that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, a hosted one."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

import httpx
from pydantic import JsonValue, ValidationError

from twin_contracts.chat import FinishReason
from twin_rag_api.adapters.openai_wire import Event, EventTooLong, Listing, data_lines, start_of
from twin_rag_api.adapters.thoughts import Thoughts, UnopenedThoughts
from twin_rag_api.errors import ModelFailed, ModelNotChosen
from twin_rag_api.ports import Piece, Prompt

FIRST_TOKEN_SECONDS: Final = 120.0
"""A model that is not loaded yet is loaded first."""
NEXT_TOKEN_SECONDS: Final = 30.0
LISTING_SECONDS: Final = 5.0

_CONNECT_SECONDS: Final = 5.0
_SHOWN: Final = 200
_FINISHED: Final[dict[str, FinishReason]] = {"length": "length", "content_filter": "content_filter"}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class OpenAIModel:
    """Streams replies; each call has a connection of its own, so that no call meets one that the server has closed."""

    def __init__(self, url: str, model: str | None, key: str | None, context: int) -> None:
        """Take the server's address, which ends with its `/v1`; where that is left out it is added."""
        split = urlsplit(url)
        self.host = split.hostname or ""
        self.is_local = self.host in _LOOPBACK
        self._base = url if split.path.strip("/") else url.rstrip("/") + "/v1"
        self._model = model
        self._key = key
        self._context = context
        self._tls = httpx.create_ssl_context()

    @property
    def name(self) -> str:
        """Return the model's name, or the server's while nobody knows it."""
        return self._model or f"at {self.host}"

    @property
    def context(self) -> int:
        """Return how many tokens a prompt may have."""
        return self._context

    async def served(self, within: float = LISTING_SECONDS) -> list[str]:
        """Return the names of the models that the server has.

        Raises:
            ModelFailed: it does not answer within so many seconds, or not with a list.
        """
        try:
            async with self._client() as client, asyncio.timeout(within):
                response = await client.get("models")
        except (httpx.HTTPError, OSError) as error:  # a time-out is an OSError
            raise ModelFailed(self.name, _reason(error, within)) from error
        if not response.is_success:
            raise ModelFailed(self.name, self._refusal(response.status_code, response.text))
        try:
            return [model.id for model in Listing.model_validate_json(response.content).data or []]
        except ValidationError as error:
            raise ModelFailed(self.name, "does not list its models as OpenAI does") from error

    async def choose(self, within: float = LISTING_SECONDS) -> str:
        """Return the model that is asked: the configured one, else the only one that is served.

        Raises:
            ModelNotChosen: there are several, or none.
            ModelFailed: as `served`.
        """
        if self._model is None:
            names = await self.served(within)
            if len(names) != 1:
                raise ModelNotChosen(self.host, names)
            self._model = names[0]
        return self._model

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the reply; see `LanguageModel`."""
        try:
            model = await self.choose()
        except ModelNotChosen as error:
            raise ModelFailed(self.name, str(error)) from error
        body: dict[str, JsonValue] = {
            **prompt.options,
            "model": model,
            "messages": [{"role": one.role, "content": one.content} for one in prompt.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with (
            self._client() as client,
            aclosing(self._events(client, body)) as events,
            aclosing(self._pieces(events)) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def _pieces(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Piece, None]:
        thoughts = Thoughts()
        said, ended = False, None
        async for event in events:
            if event.error is not None:
                raise ModelFailed(self.name, f"broke off: {_shown(json.dumps(event.error, ensure_ascii=False))}")
            for choice in event.choices[:1]:
                text = self._said(thoughts, choice.delta.content or "")
                ended = choice.finish_reason or ended
                text = text if said else text.lstrip()
                said = said or bool(text)
                if text:
                    yield Piece(text)
            if event.usage:
                yield Piece(usage=event.counted)
        rest = thoughts.end()
        if ended is None:
            raise ModelFailed(self.name, "broke off before its end")
        if not said and not rest.strip():
            raise ModelFailed(self.name, "ended without a word")
        yield Piece(rest, _FINISHED.get(ended, "stop"))

    def _said(self, thoughts: Thoughts, text: str) -> str:
        try:
            return thoughts.feed(text.replace("\x00", ""))  # no store and no client can hold it
        except UnopenedThoughts as error:
            why = "sends its reasoning as its answer; switch on its server's reasoning parser"
            raise ModelFailed(self.name, why) from error

    async def _events(self, client: httpx.AsyncClient, body: dict[str, JsonValue]) -> AsyncGenerator[Event, None]:
        """Yield the reply's events; only a token sets the clock back, no comment and no empty event does."""
        now = asyncio.get_running_loop().time
        limit = FIRST_TOKEN_SECONDS
        deadline = now() + limit
        request = client.build_request("POST", "chat/completions", content=json.dumps(body))
        try:
            async with asyncio.timeout_at(deadline):
                response = await client.send(request, stream=True)
            async with aclosing(response), aclosing(data_lines(response)) as lines:
                if not response.is_success:
                    async with asyncio.timeout_at(deadline):
                        raise ModelFailed(self.name, self._refusal(response.status_code, await start_of(response)))
                while True:
                    async with asyncio.timeout_at(deadline):
                        line = await anext(lines, None)
                    if line is None or line == b"[DONE]":
                        return
                    event = Event.model_validate_json(line)
                    yield event
                    if event.has_token:
                        limit = NEXT_TOKEN_SECONDS
                        deadline = now() + limit
        except (httpx.HTTPError, OSError) as error:
            raise ModelFailed(self.name, _reason(error, limit)) from error
        except (ValidationError, EventTooLong) as error:
            raise ModelFailed(self.name, "sends what is no chat completion") from error

    def _client(self) -> httpx.AsyncClient:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        return httpx.AsyncClient(
            base_url=self._base,
            headers=headers,
            verify=self._tls,
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),  # each wait has a deadline of its own
            trust_env=not self.is_local,  # a proxy cannot reach what runs on this machine
        )

    def _refusal(self, status: int, said: str) -> str:
        told = _shown(said.replace(self._key, "***") if self._key else said)
        return f"answers with HTTP status {status}" + (f": {told}" if told else "")


def _reason(error: Exception, limit: float) -> str:
    match error:
        case TimeoutError():
            return f"said nothing for {limit:g} s"
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return "cannot be reached"
        case _:
            return "broke off: its server closed the connection"


def _shown(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…"
