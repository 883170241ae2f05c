"""A question in, an answer out as it is written: by the language model, or from the documents' own sentences."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from twin_contracts.chat import FinishReason, Usage
from twin_platform.embedding.port import Tokenizer
from twin_platform.telemetry.metrics import Metrics
from twin_rag_api.answer import MAX_QUESTION, Answer, Answerer
from twin_rag_api.cite import CitedReply
from twin_rag_api.compose import Composed, compose
from twin_rag_api.errors import ModelFailed
from twin_rag_api.metrics import ANSWERS, MODEL_FAILURES, outcome_of
from twin_rag_api.ports import LanguageModel
from twin_rag_api.prompt import Asked, answering_prompt, different, rewriting_prompt
from twin_rag_api.retrieve import Retriever

REWRITE_SECONDS: Final = 20.0
"""For a question with a history; without a reply in time it is searched for together with the turn before it."""
_LONGEST_REWRITTEN: Final = 500


@dataclass(frozen=True)
class Reply:
    """The end of an answer: the whole of it, and what it cost."""

    composed: Composed
    usage: Usage
    finish_reason: FinishReason = "stop"


@dataclass
class _Search:
    """What is searched for, and what had to be done without so far."""

    question: str
    previous: str
    skipped: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        parts = (self.previous[-MAX_QUESTION:], self.question[-MAX_QUESTION:])
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True)
class Responder:
    """The chain: the language model where there is one, then the extractive answerer."""

    retrieve: Retriever
    answer: Answerer
    model: LanguageModel | None
    tokenizer: Tokenizer
    metrics: Metrics

    async def stream(self, asked: Asked) -> AsyncGenerator[str | Reply, None]:
        """Yield the answer's text as it comes, at last the `Reply`; closing the generator ends the model's call.

        Raises:
            ModelFailed: after some text; before it the next of the chain answers.
        """
        search = _Search(asked.question, asked.previous)
        if self.model:
            said = False
            try:
                async with aclosing(self._by_model(self.model, asked, search)) as parts:
                    async for part in parts:
                        said = True
                        yield part
            except ModelFailed as error:
                self.metrics.count(MODEL_FAILURES)
                if said:
                    raise
                search.skipped.append(str(error))
            if said:
                return
        reply = await self._extracted(asked, search)
        yield reply.composed.message.content
        yield reply

    async def whole(self, asked: Asked) -> Reply:
        """Return the answer in one piece; a model that breaks off in the middle is replaced, since nobody saw it."""
        try:
            async with aclosing(self.stream(asked)) as parts:
                return [part async for part in parts if isinstance(part, Reply)][-1]
        except ModelFailed as error:
            return await self._extracted(asked, _Search(asked.question, asked.previous, [str(error)]))

    async def _by_model(self, model: LanguageModel, asked: Asked, search: _Search) -> AsyncGenerator[str | Reply, None]:
        """Yield the model's answer; nothing where nothing was found that it could answer from."""
        if asked.filters is None:
            return
        if asked.history:
            await self._rewrite(model, asked, search)
        hits = await asyncio.to_thread(self.retrieve, search.text, asked.limit, asked.filters)
        if not hits:
            return
        prompt, passages = await asyncio.to_thread(
            answering_prompt, asked, different(hits), model.context, self.tokenizer
        )
        cited = CitedReply(passages, asked.base_url, is_json=asked.wants_json)
        usage: Usage | None = None
        ended: FinishReason = "stop"
        async with aclosing(model.stream(prompt)) as pieces:
            async for piece in pieces:
                usage, ended = piece.usage or usage, piece.finish_reason or ended
                if said := cited.feed(piece.text):
                    yield said
        if said := cited.end():
            yield said
        composed = cited.composed(model.name, search.skipped)
        given = [one.content for one in prompt.messages]
        self.metrics.count(ANSWERS, outcome_of(from_texts=composed.twin.answered))
        yield Reply(composed, usage or await self._usage(given, composed.message.content), ended)

    async def _rewrite(self, model: LanguageModel, asked: Asked, search: _Search) -> None:
        """Make the search's question one that can be understood alone, if the model manages in time."""
        try:
            async with asyncio.timeout(REWRITE_SECONDS), aclosing(model.stream(rewriting_prompt(asked))) as pieces:
                text = " ".join("".join([piece.text async for piece in pieces]).split())
        except (ModelFailed, TimeoutError) as error:
            why = str(error) or f"the language model {model.name} took more than {REWRITE_SECONDS:g} s"
            search.skipped.append(f"rewriting the question: {why}")
            return
        search.question, search.previous = text[:_LONGEST_REWRITTEN], ""

    async def _extracted(self, asked: Asked, search: _Search) -> Reply:
        answer = Answer((), 0.0)
        if asked.filters is not None:
            answer = await asyncio.to_thread(self.answer, search.question, search.previous, asked.filters)
        composed = compose(answer, asked.base_url, search.skipped)
        self.metrics.count(ANSWERS, outcome_of(from_texts=composed.twin.answered))
        given = [asked.instructions, *(turn.content for turn in asked.history), asked.question]
        return Reply(composed, await self._usage(given, composed.message.content))

    async def _usage(self, given: list[str], said: str) -> Usage:
        """Return what an answer has cost; a history of megabytes takes a second to count, which nobody else waits."""
        *prompt, completion = await asyncio.to_thread(self.tokenizer.counts, [*given, said])
        return Usage(prompt_tokens=sum(prompt), completion_tokens=completion, total_tokens=sum(prompt) + completion)
