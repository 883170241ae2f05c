"""A language model that says what the test has written for it."""

from collections.abc import AsyncGenerator, Callable
from typing import Literal

from twin_rag_api.errors import ModelFailed
from twin_rag_api.ports import Piece, Prompt


class ScriptedModel:
    """Replies with `say(prompt)`, word by word; `prompts` are what it was asked, `closed` counts its ended calls."""

    name = "scripted"
    context = 3000

    def __init__(self, say: Callable[[Prompt], str] = lambda _: "Nothing in these texts answers that.") -> None:
        self.say = say
        self.prompts: list[Prompt] = []
        self.fails_after: int | None = None
        """Words after which the call fails; 0 is before the first."""
        self.finish_reason: Literal["stop", "length", "content_filter"] = "stop"
        self.closed = 0

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        self.prompts.append(prompt)
        try:
            for number, word in enumerate(self.say(prompt).split(" ")):
                if number == self.fails_after:
                    raise ModelFailed(self.name, "broke off")
                if word:
                    yield Piece((" " if number else "") + word)
            if not self.say(prompt):
                raise ModelFailed(self.name, "ended without a word")
            yield Piece(finish_reason=self.finish_reason)
        finally:
            self.closed += 1
