"""Route of chat completions, unstreamed, in OpenAI's shape."""

from uuid import uuid4

from fastapi import APIRouter
from starlette.requests import Request

from twin_contracts.chat import ChatCompletion, ChatMessage, ChatRequest, Choice, ToolChoice, Usage
from twin_contracts.http import SearchFilters
from twin_rag_api.answer import Answerer
from twin_rag_api.compose import compose
from twin_rag_api.errors import InvalidRequest
from twin_rag_api.models import author_of_model
from twin_rag_api.parts import Parts


class ChatRoutes:
    """Stateless: a conversation is what the request brings."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._answer = Answerer(parts.features, parts.embedder)

    def router(self) -> APIRouter:
        """Return the route `/v1/chat/completions`."""
        router = APIRouter(tags=["chat"])
        router.add_api_route("/v1/chat/completions", self.complete, methods=["POST"])
        return router

    def complete(self, asked: ChatRequest, http: Request) -> ChatCompletion:
        """Answer the last user message from the documents, with citations, or refuse."""
        _refuse_what_is_not_there(asked)
        filters = self._filters(asked)
        question, previous = _turns(asked.messages)
        composed = compose(self._answer(question, previous, filters), str(http.base_url))
        return ChatCompletion(
            id=f"chatcmpl-{uuid4().hex}",
            created=int(self._parts.clock.now().timestamp()),
            model=asked.model,
            choices=(Choice(message=composed.message),),
            usage=self._usage(asked.messages, composed.message.content),
            twin=composed.twin,
        )

    def _filters(self, asked: ChatRequest) -> SearchFilters:
        """Return the request's filters; an author in them goes before `twin.author`, that one before the model's."""
        of_model = author_of_model(self._parts.documents, asked.model)
        author = asked.twin.filters.author or asked.twin.author or of_model
        return asked.twin.filters.model_copy(update={"author": author})

    def _usage(self, messages: tuple[ChatMessage, ...], content: str) -> Usage:
        *prompt, completion = self._parts.embedder.tokenizer.counts([*(one.plain for one in messages), content])
        return Usage(prompt_tokens=sum(prompt), completion_tokens=completion, total_tokens=sum(prompt) + completion)


def _refuse_what_is_not_there(asked: ChatRequest) -> None:
    if asked.n not in (None, 1):
        raise InvalidRequest(field="n", why="there is one answer to a question; leave it out or send 1")
    if asked.stream:
        raise InvalidRequest(field="stream", why="answers come in one piece; send false")
    if asked.tool_choice == "required" or isinstance(asked.tool_choice, ToolChoice):
        raise InvalidRequest(field="tool_choice", why="no tool is ever called; send 'auto' or 'none'")


def _turns(messages: tuple[ChatMessage, ...]) -> tuple[str, str]:
    """Return the user's question and their turn before it, empty where there is none."""
    turns = ["", "", *(message.plain for message in messages if message.role == "user")]
    previous, question = turns[-2:]
    if not question.strip():
        raise InvalidRequest(
            field="messages", why="the last message of role 'user' is the question; it must not be empty"
        )
    return question, previous
