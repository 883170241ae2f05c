"""The style card: an author's habits, measured by plain code over their clean texts. No model, no network."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import sqrt
from typing import Final

from twin_contracts.base import AuthorId
from twin_contracts.documents import AuthorRef, DocumentType
from twin_contracts.records import RecordStatus
from twin_contracts.style import Figure, Habit, HabitName, StyleCard
from twin_platform.features.port import FeatureStore
from twin_rag_api.errors import TooLittleText
from twin_rag_api.prose import Paragraph, ProseSentence, paragraphs_of
from twin_rag_api.word_rates import ENGLISH_SHARE, FUNCTION_WORDS, PER_MILLION

MIN_WORDS: Final = 300
"""Of prose; what fewer words show is chance."""
MOST_TEXT: Final = 1_500_000
"""Code points that are read, about 250,000 words: more changes no figure, and a card takes a second at most."""
MAX_EXAMPLE: Final = 280
_READS_WELL = re.compile(r"[A-Z“\"][^\[\]*_]*[.!?…][”\"]?")
_LISTED: Final = 8
_CLEAR: Final = 3.0
"""Standard deviations of a Poisson count that a word must be away from what is expected."""
_LONG: Final = 7
"""Letters of a long word, as the readability index LIX counts them (Björnsson, 1968)."""

_MARKS: Final = (
    (HabitName.DASHES, re.compile(r"—|–(?!\d)|(?<=\s)--?(?=\s)")),
    (HabitName.EXCLAMATIONS, re.compile(r"(?<!!)!++(?![\[=])")),
    (HabitName.QUESTIONS, re.compile(r"(?<!\?)\?++")),
    (HabitName.SEMICOLONS, re.compile(r";(?!-?\))")),
    (HabitName.PARENTHESES, re.compile(r"(?<![:;=-])\(")),
    (HabitName.EMOJI, re.compile(r"[\U0001F300-\U0001F3FA\U0001F400-\U0001FAFF☀-➿]")),
)
_PERSONS: Final = {
    "I": frozenset({"i", "me", "my", "mine", "myself", "i'm", "i've", "i'll", "i'd"}),
    "we": frozenset({"we", "us", "our", "ours", "ourselves", "we're", "we've", "we'll", "we'd", "let's"}),
    "you": frozenset({"you", "your", "yours", "yourself", "yourselves", "you're", "you've", "you'll", "you'd"}),
}
_CONTRACTED = re.compile(
    r"\b(?:\w+n't|(?:i|you|we|they)'(?:m|re|ve|ll|d)|(?:it|that|there|here|what|who|he|she|let)'(?:s|ll|d))\b"
)
_IN_FULL = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were|have|has|had|would|could|should|can|will) not|cannot|i am"
    r"|(?:you|we|they) are|(?:i|you|we|they|it) will|(?:it|that|there|here|what|he|she) is)\b"
)
_FEWEST_PLACES: Final = 10


@dataclass(frozen=True)
class _Texts:
    """What is measured."""

    documents: Sequence[Sequence[Paragraph]]
    sentences: Sequence[ProseSentence]
    words: int

    def examples(self, shows: Callable[[ProseSentence], object]) -> tuple[str, ...]:
        """Return up to two sentences that show the habit."""
        return _two_of(one.text for one in self.sentences if shows(one))

    def examples_with(self, words: AbstractSet[str]) -> tuple[str, ...]:
        """Return up to two sentences with one of these words."""
        return self.examples(lambda one: not words.isdisjoint(one.words))

    def per_thousand(self, count: int) -> float:
        return round(1000 * count / self.words, 1)


def read_texts(features: FeatureStore, author: AuthorId) -> Iterator[str]:
    """Yield the clean texts of the author's posts and articles in id order, which prefers none; code is left out."""
    left = MOST_TEXT
    for record in features.find_records(status=RecordStatus.INDEXED, author=author):
        if record.text and record.metadata and record.metadata.type is not DocumentType.CODE:
            yield record.text[:left]
            left -= len(record.text)
            if left <= 0:
                return


def style_card(author: AuthorRef, texts: Iterable[str]) -> StyleCard:
    """Return the card of these clean texts; linear in their length.

    Habits that are about English words are left out where the texts are in another language.

    Raises:
        TooLittleText: below `MIN_WORDS` words of prose.
    """
    documents = [paragraphs for text in texts if (paragraphs := paragraphs_of(text))]
    sentences = [one for paragraphs in documents for paragraph in paragraphs for one in paragraph.sentences]
    used = Counter(word for one in sentences for word in one.words)
    measured = _Texts(documents, sentences, used.total())
    if measured.words < MIN_WORDS:
        raise TooLittleText(author.name, measured.words, MIN_WORDS)
    blocks = [(one.text, len(one.sentences)) for document in documents for one in document]
    habits = [
        _lengths(HabitName.SENTENCES, "words", [(one.text, len(one.words)) for one in sentences]),
        _lengths(HabitName.PARAGRAPHS, "sentences", blocks),
        _openers(measured),
    ]
    habits += [_mark(measured, name, mark) for name, mark in _MARKS] + [_long_words(measured)]
    if sum(used[word] for word in FUNCTION_WORDS) >= ENGLISH_SHARE * measured.words:
        habits += [_person(measured, used), *_word_choice(measured, used), *_contractions(measured)]
    order = list(HabitName)
    habits.sort(key=lambda habit: order.index(habit.name))
    return StyleCard(author=author, documents=len(documents), words=measured.words, habits=tuple(habits))


def _lengths(name: HabitName, unit: str, counted: Sequence[tuple[str, int]]) -> Habit:
    low, middle, high = _quarters([count for _, count in counted])
    return Habit(
        name=name,
        says=f"{unit}: median {middle}, half of all between {low} and {high}",
        figures=_figures({"median": middle, "lower quarter": low, "upper quarter": high}),
        examples=_two_of(text for text, count in counted if count == middle),
    )


def _openers(texts: _Texts) -> Habit:
    first = Counter(one.words[0] for one in texts.sentences)
    shares = {word: 100 * count / first.total() for word, count in first.most_common(3)}
    told = ", ".join(f"“{word.capitalize()}” {share:.0f}" for word, share in shares.items())
    return Habit(
        name=HabitName.OPENERS,
        says=f"{told} of 100 sentences",
        figures=_figures(shares),
        examples=texts.examples(lambda one: one.words[0] in shares),
    )


def _mark(texts: _Texts, name: HabitName, mark: re.Pattern[str]) -> Habit:
    rate = texts.per_thousand(sum(len(mark.findall(one.plain)) for one in texts.sentences))
    return Habit(
        name=name,
        says=f"{rate:g} in 1,000 words" if rate else "none",
        figures=_figures({"in 1,000 words": rate}),
        examples=texts.examples(lambda one: mark.search(one.plain)),
    )


def _long_words(texts: _Texts) -> Habit:
    share = 100 * sum(_long(one) for one in texts.sentences) / texts.words
    return Habit(
        name=HabitName.LONG_WORDS,
        says=f"{share:.0f} of 100 words have {_LONG} letters or more",
        figures=_figures({"of 100 words": share}),
        examples=texts.examples(lambda one: abs(100 * _long(one) / len(one.words) - share) < 3),  # noqa: PLR2004
    )


def _person(texts: _Texts, used: Mapping[str, int]) -> Habit:
    rates = {name: texts.per_thousand(sum(used[word] for word in forms)) for name, forms in _PERSONS.items()}
    most = _PERSONS[max(rates, key=rates.__getitem__)]
    return Habit(
        name=HabitName.PERSON,
        says=", ".join(f"“{name}” {rate:g}" for name, rate in rates.items()) + " in 1,000 words, with their forms",
        figures=_figures(rates),
        examples=texts.examples_with(most),
    )


def _word_choice(texts: _Texts, used: Mapping[str, int]) -> Iterator[Habit]:
    """Yield the words that stand here clearly more often, and clearly more rarely, than in prose at large."""
    expected = {word: rate * texts.words / 1_000_000 for word, rate in PER_MILLION.items()}
    clear = {word: (used[word] - count) / sqrt(count) for word, count in expected.items()}
    ratios = {word: used[word] / count for word, count in expected.items()}
    spread = Counter(word for document in texts.documents for word in _vocabulary(document))
    enough = min(2, len(texts.documents))
    favourite = [word for word in expected if clear[word] >= _CLEAR and ratios[word] >= 1.5 and spread[word] >= enough]  # noqa: PLR2004
    avoided = [word for word in expected if clear[word] <= -_CLEAR and ratios[word] <= 0.5]  # noqa: PLR2004
    favourite.sort(key=lambda word: -clear[word])
    avoided.sort(key=clear.__getitem__)
    for name, found in ((HabitName.FAVOURITES, favourite[:_LISTED]), (HabitName.AVOIDED, avoided[:_LISTED])):
        if found:
            told = ", ".join(f"“{word}” {_times(ratios[word])}" for word in found)
            yield Habit(
                name=name,
                says=f"{told} as often as in other prose",
                figures=_figures({word: ratios[word] for word in found}),
                examples=texts.examples_with(set(found)),
            )


def _contractions(texts: _Texts) -> Iterator[Habit]:
    lines = [" ".join(one.words) for one in texts.sentences]
    short = sum(len(_CONTRACTED.findall(line)) for line in lines)
    places = short + sum(len(_IN_FULL.findall(line)) for line in lines)
    if places >= _FEWEST_PLACES:
        share = 100 * short / places
        usual = _CONTRACTED if share >= 50 else _IN_FULL  # noqa: PLR2004
        yield Habit(
            name=HabitName.CONTRACTIONS,
            says=f"in {share:.0f} of 100 places that allow one",
            figures=_figures({"of 100 places": share}),
            examples=texts.examples(lambda one: usual.search(" ".join(one.words))),
        )


def _long(sentence: ProseSentence) -> int:
    return sum(len(word) >= _LONG for word in sentence.words)


def _vocabulary(document: Sequence[Paragraph]) -> set[str]:
    return {word for paragraph in document for one in paragraph.sentences for word in one.words}


def _quarters(values: list[int]) -> tuple[int, int, int]:
    """Return lower quartile, median and upper quartile by nearest rank: each is a value that occurs."""
    values = sorted(values)
    low, middle, high = (values[round(share * (len(values) - 1))] for share in (0.25, 0.5, 0.75))
    return low, middle, high


def _two_of(shown: Iterable[str]) -> tuple[str, ...]:
    """Return the first and the middle one of those that read well, or of all where none does."""
    short = list(dict.fromkeys(text for text in shown if len(text) <= MAX_EXAMPLE))
    found = [text for text in short if _READS_WELL.fullmatch(text)] or short
    return tuple(dict.fromkeys([*found[:1], *found[len(found) // 2 :][:1]]))


def _figures(values: Mapping[str, float]) -> tuple[Figure, ...]:
    return tuple(Figure(name=name, value=round(value, 2)) for name, value in values.items())


def _times(ratio: float) -> str:
    return f"{ratio:.{0 if ratio >= 10 else 1}f}×"  # noqa: PLR2004 - digits to read, no rule
