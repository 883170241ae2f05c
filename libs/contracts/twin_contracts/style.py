"""The style card: an author's measurable habits of writing."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, NonNegativeInt

from twin_contracts.base import Contract, Text
from twin_contracts.documents import AuthorRef


class HabitName(StrEnum):
    """What is measured. A habit that the texts say nothing about is left out of the card."""

    SENTENCES = "sentence length"
    PARAGRAPHS = "paragraph length"
    OPENERS = "openers"
    FAVOURITES = "favourite words"
    AVOIDED = "avoided words"
    DASHES = "dashes"
    EXCLAMATIONS = "exclamation marks"
    QUESTIONS = "questions"
    SEMICOLONS = "semicolons"
    PARENTHESES = "parentheses"
    EMOJI = "emoji"
    PERSON = "person"
    CONTRACTIONS = "contractions"
    LONG_WORDS = "long words"


class Figure(Contract):
    """One measured value; comparable between two cards under the same habit and name."""

    name: Text
    value: float


class Habit(Contract):
    """One habit: a sentence for people and prompts, the figures for programs, and where it shows."""

    name: HabitName
    says: Text
    figures: tuple[Figure, ...]
    examples: Annotated[tuple[Text, ...], Field(max_length=2)] = ()
    """Stretches of the clean texts, character for character; fewer where there are none short enough to show."""


class StyleCard(Contract):
    """Body of `GET /v1/authors/{id}/style`: computed by plain code, the same from the same texts."""

    author: AuthorRef
    documents: NonNegativeInt
    """Posts and articles that it was computed from."""
    words: NonNegativeInt
    """Words of prose in them: without code, headings, lists, tables and quotations."""
    habits: tuple[Habit, ...]
