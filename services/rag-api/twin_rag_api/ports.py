"""Port: a language model that continues a prompt, piece by piece."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import JsonValue

from twin_contracts.chat import FinishReason, Usage


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One turn of what the model is given."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """At most one system message, first; then user and assistant in turns, the user last."""

    messages: tuple[PromptMessage, ...]
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    """OpenAI's request fields that steer the model: `temperature`, `stop`, `max_tokens`, `response_format`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the reply: text, or at the end why it ended and what it cost. Reasoning is in no piece."""

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class LanguageModel(Protocol):
    """Any number of calls at once; each belongs to the event loop that iterates over it."""

    @property
    def name(self) -> str:
        """What a reader is told who wrote an answer."""

    @property
    def context(self) -> int:
        """Tokens that a prompt may have, counted by the embedding model's tokenizer."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the reply's text as it comes, and its `finish_reason` once; closing the generator ends the call.

        Raises:
            ModelFailed: it cannot be reached, refuses, takes too long, sends what is no reply, ends without a
                `finish_reason` or without a word; before the first piece or after any.
        """
