"""Chat completions in OpenAI's shape, with our own fields in one object `twin`."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, DocumentId, Text
from twin_contracts.http import SearchFilters


class TextPart(Contract):
    """One part of a message given as a list; only text is understood."""

    type: Literal["text"] = "text"
    text: Text


class ChatMessage(Contract):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | tuple[TextPart, ...] | None = None

    @property
    def plain(self) -> str:
        """Return the content as one string; empty where there is none."""
        if self.content is None:
            return ""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class TwinOptions(Contract):
    """Our request fields (the client's `extra_body`); an unknown one is refused."""

    model_config = ConfigDict(extra="forbid")

    author: AuthorId | None = None
    filters: SearchFilters = SearchFilters()


class ToolChoice(Contract):
    """A tool that the client requires by name."""

    type: Text


class ChatRequest(Contract):
    """Body of `POST /v1/chat/completions`; OpenAI fields that mean nothing here are ignored."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "twin"
    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1)]
    n: int | None = None
    stream: bool | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    twin: TwinOptions = TwinOptions()


class UrlCitation(Contract):
    """Where an answer's mark `[n]` points; indices count code points of the message's content."""

    url: Text
    title: Text
    start_index: NonNegativeInt
    end_index: NonNegativeInt


class Annotation(Contract):
    """OpenAI's wrapper around a citation."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class AssistantMessage(Contract):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: Text
    annotations: tuple[Annotation, ...] = ()


class Choice(Contract):
    """The one choice; `n` above 1 is refused."""

    index: Literal[0] = 0
    message: AssistantMessage
    finish_reason: Literal["stop", "length"] = "stop"


class Usage(Contract):
    """Tokens as the embedding model counts them where no language model was asked."""

    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt
    total_tokens: NonNegativeInt


class Citation(Contract):
    """One cited passage."""

    number: NonNegativeInt
    document_id: DocumentId
    chunk_id: str
    title: Text | None = None
    url: Text | None = None
    heading_path: tuple[Text, ...] = ()
    quote: Text
    """The sentence as it stands in the document's clean text."""


class TwinAnswer(Contract):
    """What we know about an answer that OpenAI's shape has no place for."""

    answered: bool
    citations: tuple[Citation, ...] = ()
    confidence: float | None = None
    """The extractive answerer's calibrated score; below its threshold it refuses."""


class ChatCompletion(Contract):
    """Body of the answer to `POST /v1/chat/completions`."""

    id: Text
    object: Literal["chat.completion"] = "chat.completion"
    created: NonNegativeInt
    model: Text
    choices: tuple[Choice, ...]
    usage: Usage
    twin: TwinAnswer


class Model(Contract):
    """One name that `model` may have: the twin, or one author's."""

    id: Text
    object: Literal["model"] = "model"
    created: NonNegativeInt = 0
    owned_by: Text


class ModelList(Contract):
    """Body of `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class OpenAIErrorBody(Contract):
    """OpenAI's error object."""

    message: Text
    type: Text
    param: Text | None = None
    code: Text | None = None


class OpenAIError(Contract):
    """What the OpenAI paths answer an error with."""

    error: OpenAIErrorBody
