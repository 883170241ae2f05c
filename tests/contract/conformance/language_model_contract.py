"""What every language model does. Bound to an adapter by a `scripted` fixture."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

import pytest

from twin_rag_api.errors import ModelFailed
from twin_rag_api.ports import LanguageModel, Piece, Prompt, PromptMessage

PROMPT = Prompt((PromptMessage("system", "Be brief."), PromptMessage("user", "Do cats purr?")))


class Scripted(Protocol):
    """Makes a model say `words`; it breaks off after so many of them, if a number is given."""

    def __call__(self, *words: str, breaks_after: int | None = None) -> LanguageModel: ...


async def pieces_of(model: LanguageModel, prompt: Prompt = PROMPT) -> list[Piece]:
    async with aclosing(model.stream(prompt)) as pieces:
        return [piece async for piece in pieces]


def reply(model: LanguageModel, prompt: Prompt = PROMPT) -> list[Piece]:
    return asyncio.run(pieces_of(model, prompt))


class LanguageModelContract:
    def test_the_text_comes_in_order_and_the_reason_of_its_end_once(self, scripted: Scripted) -> None:
        pieces = reply(scripted("Cats", " purr", "."))

        assert "".join(piece.text for piece in pieces) == "Cats purr."
        assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]

    @pytest.mark.parametrize("said", [0, 1])
    def test_a_model_that_breaks_off_fails_whatever_it_has_said(self, scripted: Scripted, said: int) -> None:
        model = scripted("Cats", " purr", ".", breaks_after=said)
        heard: list[str] = []

        async def listen() -> None:
            async with aclosing(model.stream(PROMPT)) as pieces:
                async for piece in pieces:
                    heard.append(piece.text)  # noqa: PERF401 - kept where the stream breaks off

        with pytest.raises(ModelFailed, match=model.name):
            asyncio.run(listen())
        assert "".join(heard) == "Cats"[: said * 4]

    def test_a_model_that_says_nothing_has_failed(self, scripted: Scripted) -> None:
        with pytest.raises(ModelFailed):
            reply(scripted(""))

    def test_several_calls_run_at_once(self, scripted: Scripted) -> None:
        model = scripted("Cats", " purr", ".")

        async def both() -> tuple[list[Piece], list[Piece]]:
            return await asyncio.gather(pieces_of(model), pieces_of(model))

        assert [len(pieces) > 1 for pieces in asyncio.run(both())] == [True, True]

    def test_one_loop_after_the_other_can_use_it(self, scripted: Scripted) -> None:
        model = scripted("Cats", " purr", ".")
        ask: Callable[[], list[Piece]] = lambda: reply(model)  # noqa: E731 - said twice

        assert ask() == ask()
