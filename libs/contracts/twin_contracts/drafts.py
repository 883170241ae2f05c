"""Drafts in an author's voice over HTTP."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, Text
from twin_contracts.chat import Citation, Span
from twin_contracts.documents import AuthorRef

OutlinePoint = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class DraftRequest(Contract):
    """Body of `POST /v1/drafts`; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")

    topic: Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    outline: Annotated[tuple[OutlinePoint, ...], Field(max_length=50)] = ()
    """What the text goes through, in order."""
    length: Annotated[int, Field(ge=50, le=3000)] = 400
    """Words, about."""
    audience: Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)] | None = None
    author: AuthorId | None = None
    """Whose voice and whose facts; without it the owner's voice, and facts from every text that the key sees."""
    voice: Literal["author", "plain"] = "author"
    """`plain` leaves style card and samples out, to compare."""


class DraftResult(Contract):
    """A draft, or, without a language model, an outline with passages that does not pretend to be one."""

    kind: Literal["draft", "outline"]
    text: Text
    """Markdown; `[n]` is the citation of that number."""
    author: AuthorRef
    """In whose voice."""
    model: Text | None = None
    """Who wrote the draft; None for an outline."""
    citations: tuple[Citation, ...] = ()
    unsourced: tuple[Span, ...] = ()
    """Sentences of a draft without a mark: nothing backs them."""
    style_words: NonNegativeInt | None = None
    """Words that the style card was computed from; None where none was used."""
    notes: tuple[Text, ...] = ()
    """What the draft had to do without, and what to do about it, in a sentence each."""
