"""What OpenAI-compatible servers send; as little of it as we need, so that more servers fit."""

from collections.abc import AsyncGenerator
from typing import Final

import httpx
from pydantic import BaseModel, JsonValue

from twin_contracts.chat import Usage

_MAX_EVENT: Final = 1024 * 1024


class _Delta(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Event(BaseModel):
    """One event of a reply."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: JsonValue = None

    @property
    def has_token(self) -> bool:
        """Whether the model has said or thought something."""
        deltas = [choice.delta for choice in self.choices]
        return any(delta.content or delta.reasoning_content or delta.reasoning for delta in deltas)

    @property
    def counted(self) -> Usage | None:
        """What the server says that the reply has cost so far."""
        if self.usage is None:
            return None
        prompt, completion = max(0, self.usage.prompt_tokens), max(0, self.usage.completion_tokens)
        return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


class _Listed(BaseModel):
    id: str


class Listing(BaseModel):
    """The models that a server has; an Ollama without any says null."""

    data: list[_Listed] | None = None


class EventTooLong(ValueError):
    """A line above what any event has."""


async def data_lines(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield what stands in the `data:` lines. Only a line feed ends one: JSON may hold other separators."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > _MAX_EVENT:
            raise EventTooLong
        for line in lines:
            if line.startswith(b"data:") and line[5:].strip():
                yield line[5:].strip()
    if rest.startswith(b"data:"):
        yield rest[5:].strip()


async def start_of(response: httpx.Response) -> str:
    """Return the first that comes of a body."""
    async for part in response.aiter_bytes():
        return part.decode("utf-8", "replace")
    return ""
