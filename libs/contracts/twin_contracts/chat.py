"""Chat completions in OpenAI's shape, with our own fields in one object `twin`."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, JsonValue, NonNegativeInt, PositiveInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, DocumentId, Text
from twin_contracts.http import SearchFilters

EXTRACTIVE: Final = "extractive"
"""Stands for a model's name where none has written an answer."""


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


class RetrievalOptions(Contract):
    """How passages are chosen."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=50)] = 10
    """Chunks that are retrieved at most; the model gets as many of them as fit its context."""


class TwinOptions(Contract):
    """Our request fields (the client's `extra_body`); an unknown one is refused."""

    model_config = ConfigDict(extra="forbid")

    author: AuthorId | None = None
    filters: SearchFilters = SearchFilters()
    retrieval: RetrievalOptions = RetrievalOptions()


class ToolChoice(Contract):
    """A tool that the client requires by name."""

    type: Text


class StreamOptions(Contract):
    """What a streamed answer says beside its text."""

    include_usage: bool | None = None


class ResponseFormat(Contract):
    """The form that the model is held to; what belongs to it goes to the model as it came."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    type: Literal["text", "json_object", "json_schema"]


class _Sampling(Contract):
    """Fields that reach the language model as they came; without a model they change nothing."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: Text | tuple[Text, ...] | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None
    response_format: ResponseFormat | None = None


class ChatRequest(_Sampling):
    """Body of `POST /v1/chat/completions`; OpenAI fields that mean nothing here are ignored."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "twin"
    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1)]
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    twin: TwinOptions = TwinOptions()

    @property
    def sampling(self) -> dict[str, JsonValue]:
        """Return what the client has sent for the language model."""
        return self.model_dump(mode="json", include=set(_Sampling.model_fields), exclude_none=True)


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


FinishReason: TypeAlias = Literal["stop", "length", "content_filter"]


class Choice(Contract):
    """The one choice; `n` above 1 is refused."""

    index: Literal[0] = 0
    message: AssistantMessage
    finish_reason: FinishReason = "stop"


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
    """What stands in the document's clean text: the sentence that is quoted, or the chunk that a model was given."""


class Span(Contract):
    """A stretch of the message's content, in code points."""

    start_index: NonNegativeInt
    end_index: NonNegativeInt


class TwinAnswer(Contract):
    """What we know about an answer that OpenAI's shape has no place for."""

    answered: bool
    """False where the texts do not answer the question; then there are no citations."""
    answered_by: Text = EXTRACTIVE
    """The language model's name, or `extractive`: sentences of the documents, word for word."""
    citations: tuple[Citation, ...] = ()
    unsourced: tuple[Span, ...] = ()
    """Sentences of a model's answer without a mark `[n]`, neither in them nor right after them: nothing backs them."""
    skipped: tuple[Text, ...] = ()
    """What failed or took too long and was done without, in a sentence each."""
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


def _is_none(value: object) -> bool:
    return value is None


class Delta(Contract):
    """What a chunk adds to the message; what it does not add is left out."""

    role: Annotated[Literal["assistant"] | None, Field(exclude_if=_is_none)] = None
    content: Annotated[Text | None, Field(exclude_if=_is_none)] = None
    annotations: Annotated[tuple[Annotation, ...] | None, Field(exclude_if=_is_none)] = None


class ChunkChoice(Contract):
    """The one choice, growing."""

    index: Literal[0] = 0
    delta: Delta = Delta()
    finish_reason: FinishReason | None = None


class ChatCompletionChunk(Contract):
    """One event of a streamed answer.

    In order: the role with empty content; the content; one with empty content, all annotations and `twin`; one with
    an empty delta and the `finish_reason`; where `stream_options.include_usage` asked for it, one without choices and
    with `usage`. Then comes `[DONE]`. A stream that breaks ends with an `OpenAIError` and without any of these.
    """

    id: Text
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: NonNegativeInt
    model: Text
    choices: tuple[ChunkChoice, ...] = ()
    usage: Annotated[Usage | None, Field(exclude_if=_is_none)] = None
    twin: Annotated[TwinAnswer | None, Field(exclude_if=_is_none)] = None


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
