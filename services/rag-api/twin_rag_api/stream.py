"""An answer as server-sent events, in the order that OpenAI's clients expect."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from twin_contracts.chat import ChatCompletionChunk, ChunkChoice, Delta, OpenAIError, OpenAIErrorBody
from twin_platform.errors import PlatformError
from twin_rag_api.respond import Reply

SILENCE_SECONDS: Final = 10.0
"""Before what stands between the client and us takes the connection for dead."""

_WAITING: Final = b": waiting for the language model\n\n"
_DONE: Final = b"data: [DONE]\n\n"


async def events(
    head: ChatCompletionChunk, parts: AsyncGenerator[str | Reply, None], *, with_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the events of an answer; `head` says what they have in common.

    An error after the first of them ends the stream with an event of its own, without `finish_reason` and `[DONE]`.
    """
    yield _event(head, Delta(role="assistant", content=""))
    try:
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, str):
                    yield _event(head, Delta(content=part))
                    continue
                composed = part.composed
                delta = Delta(content="", annotations=composed.message.annotations)
                cited = ChunkChoice(delta=delta)
                yield _data(head.model_copy(update={"choices": (cited,), "twin": composed.twin}))
                yield _data(head.model_copy(update={"choices": (ChunkChoice(finish_reason=part.finish_reason),)}))
                if with_usage:
                    yield _data(head.model_copy(update={"usage": part.usage}))
                yield _DONE
    except PlatformError as error:
        yield _data(OpenAIError(error=OpenAIErrorBody(message=str(error), type="server_error")))


async def kept_alive(
    source: AsyncGenerator[bytes, None], silence: float = SILENCE_SECONDS
) -> AsyncGenerator[bytes, None]:
    """Yield the source's events, and a comment whenever none came for a while; closing it closes the source at once.

    The source runs in a task of its own: the framework cancels ours again and again while the client is gone, and the
    model's connection has to be closed in peace.
    """
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    pumping = asyncio.create_task(_pump(source, queue))
    pumping.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (event := await _next(queue, silence)) is not None:
            yield event
        await pumping
    finally:
        pumping.cancel()


async def _pump(source: AsyncGenerator[bytes, None], queue: asyncio.Queue[bytes | None]) -> None:
    async with aclosing(source):
        async for event in source:
            queue.put_nowait(event)


async def _next(queue: asyncio.Queue[bytes | None], silence: float) -> bytes | None:
    try:
        async with asyncio.timeout(silence):
            return await queue.get()
    except TimeoutError:
        return _WAITING


def _event(head: ChatCompletionChunk, delta: Delta) -> bytes:
    return _data(head.model_copy(update={"choices": (ChunkChoice(delta=delta),)}))


def _data(body: ChatCompletionChunk | OpenAIError) -> bytes:
    return f"data: {body.model_dump_json()}\n\n".encode()
