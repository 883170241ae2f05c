"""Route of chat completions in OpenAI's shape, in one piece or streamed."""

from typing import Final
from uuid import uuid4

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from twin_contracts.chat import ChatCompletion, ChatCompletionChunk, ChatMessage, ChatRequest, Choice, ToolChoice
from twin_contracts.http import SearchFilters
from twin_rag_api.access import Access, KeyAccess
from twin_rag_api.answer import Answerer
from twin_rag_api.errors import InvalidRequest
from twin_rag_api.gone import GONE, unless_gone
from twin_rag_api.models import author_of_model
from twin_rag_api.parts import Parts
from twin_rag_api.ports import PromptMessage
from twin_rag_api.prompt import Asked, room_for_passages
from twin_rag_api.respond import Responder
from twin_rag_api.retrieve import Retriever, by_known_names
from twin_rag_api.stream import events, kept_alive

_STREAMED: Final = {"text/event-stream": {"schema": {"type": "string", "description": "`data: ChatCompletionChunk`"}}}


class ChatRoutes:
    """Stateless: a conversation is what the request brings."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        retrieve = Retriever(parts.features, parts.embedder)
        answer = Answerer(parts.features, parts.embedder, parts.reader)
        self._respond = Responder(retrieve, answer, parts.model, parts.embedder.tokenizer, parts.metrics)

    def router(self) -> APIRouter:
        """Return the route `/v1/chat/completions`."""
        router = APIRouter(tags=["chat"])
        router.add_api_route(
            "/v1/chat/completions",
            self.complete,
            methods=["POST"],
            response_model=ChatCompletion,
            responses={200: {"content": _STREAMED}},
        )
        return router

    async def complete(self, request: ChatRequest, http: Request, access: KeyAccess) -> ChatCompletion | Response:
        """Answer the last user message from the documents, with citations, or refuse."""
        _refuse_what_is_not_there(request)
        asked = await run_in_threadpool(self._asked, request, access, str(http.base_url))
        head = ChatCompletionChunk(
            id=f"chatcmpl-{uuid4().hex}", created=int(self._parts.clock.now().timestamp()), model=request.model
        )
        if request.stream:
            with_usage = bool(request.stream_options and request.stream_options.include_usage)
            stream = events(head, self._respond.stream(asked), with_usage=with_usage)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamingResponse(kept_alive(stream), media_type="text/event-stream", headers=headers)
        reply = await unless_gone(http, self._respond.whole(asked))
        if reply is None:
            return Response(status_code=GONE)
        choice = Choice(message=reply.composed.message, finish_reason=reply.finish_reason)
        return ChatCompletion(
            id=head.id,
            created=head.created,
            model=head.model,
            choices=(choice,),
            usage=reply.usage,
            twin=reply.composed.twin,
        )

    def _asked(self, request: ChatRequest, access: Access, base_url: str) -> Asked:
        turns = [one for one in request.messages if one.role in {"user", "assistant"}]
        users = [at for at, turn in enumerate(turns) if turn.role == "user"]
        if not users or not turns[users[-1]].plain.strip():
            why = "the last message of role 'user' is the question; it must not be empty"
            raise InvalidRequest(field="messages", why=why)
        asked = Asked(
            question=turns[users[-1]].plain,
            previous=turns[users[-2]].plain if len(users) > 1 else "",
            history=tuple(_prompt_message(turn) for turn in turns[: users[-1]] if turn.plain.strip()),
            instructions="\n\n".join(one.plain for one in request.messages if one.role in {"system", "developer"}),
            filters=access.narrow(self._filters(request, access)),
            limit=request.twin.retrieval.limit,
            base_url=base_url,
            options=request.sampling,
        )
        if self._parts.model:
            room_for_passages(asked, self._parts.model.context, self._parts.embedder.tokenizer)
        return asked

    def _filters(self, request: ChatRequest, access: Access) -> SearchFilters:
        """Return the request's filters; an author in them goes before `twin.author`, that one before the model's."""
        of_model = author_of_model(self._parts, request.model, access)
        author = request.twin.filters.author or request.twin.author or of_model
        filters = request.twin.filters.model_copy(update={"author": author})
        return by_known_names(filters, self._parts.records)


def _refuse_what_is_not_there(request: ChatRequest) -> None:
    if request.n not in (None, 1):
        raise InvalidRequest(field="n", why="there is one answer to a question; leave it out or send 1")
    if request.tool_choice == "required" or isinstance(request.tool_choice, ToolChoice):
        raise InvalidRequest(field="tool_choice", why="no tool is ever called; send 'auto' or 'none'")


def _prompt_message(turn: ChatMessage) -> PromptMessage:
    return PromptMessage("user" if turn.role == "user" else "assistant", turn.plain)
