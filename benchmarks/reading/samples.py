"""What is read for a question while teaching: windows of sentences, and which of them answer."""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from benchmarks.reading.texts import Asked, Sentence
from twin_platform.reading.onnx import Window, Windows
from twin_platform.reading.port import Excerpt

_TOKENS = (60, 135)
"""Of sentences in a window, by chance: fewer than are read later, since attention costs the square."""
_FAR = 0.6
"""Share of questions that are also compared with another passage."""
_ALIKE = 8
"""Passages of which the other one is chosen."""
_TELLING = 1.2
"""The least rarity of a word that is looked at; commoner ones stand in two of five passages."""
_SATURATION = 1.5
"""Of a word's count in a passage, as in BM25."""
_POOLED = 12
"""Batches that are sorted by length together, so that little is padded."""
_STEM = 6
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Sample:
    """A window, which of its sentences answer, and which of its tokens are the answer's words, as (start, end)."""

    window: Window
    answers: tuple[bool, ...]
    words: tuple[tuple[int, int], ...] = ()


Question = list[Sample]
"""What is read for one question; where no sentence answers, nothing does."""
Batch = list[Question]


def batches(questions: Sequence[Question], size: int, chance: random.Random) -> list[Batch]:
    """Return the questions in batches of `size`, those of alike length together, the batches in any order."""
    found = []
    for start in range(0, len(questions), _POOLED * size):
        pool = sorted(questions[start : start + _POOLED * size], key=_longest)
        found += [pool[at : at + size] for at in range(0, len(pool), size)]
    chance.shuffle(found)
    return found


def _longest(question: Question) -> int:
    return max(len(one.window.tokens) for one in question)


class Layout:
    """Makes samples of questions about passages."""

    def __init__(self, passages: dict[int, list[Sentence]], tokenizer: Tokenizer, chance: random.Random) -> None:
        """Take a tokenizer that neither pads nor truncates."""
        self._passages, self._tokenizer, self._chance = passages, tokenizer, chance
        self._windows = Windows(tokenizer)
        self._alike = _Alike(passages)
        self._lengths = {at: [self._length(one.text) for one in found] for at, found in passages.items()}

    def question(self, asked: Asked) -> Question:
        """Return what is read for one question, differently each time.

        A window has a sentence that answers, or the nearest where none does; another one is of the same passage; a
        third, for some questions, of a passage that shares words.
        """
        sentences = self._passages[asked.passage]
        first = self._stretch(asked.passage, self._chance.choice(asked.near))
        found = [self._sample(asked, sentences, first, asked.answers)]
        rest = [at for at in range(len(sentences)) if at not in first and at not in asked.answers]
        if rest:
            second = [at for at in self._stretch(asked.passage, self._chance.choice(rest)) if at not in first]
            found.append(self._sample(asked, sentences, second, asked.answers))
        if self._chance.random() < _FAR and (others := self._alike(asked)):
            other = self._chance.choice(others)
            at = self._chance.randrange(len(self._passages[other]))
            found.append(self._sample(asked, self._passages[other], self._stretch(other, at), frozenset()))
        return found

    def _sample(self, asked: Asked, sentences: list[Sentence], at: Sequence[int], answers: frozenset[int]) -> Sample:
        excerpt = Excerpt(sentences[at[0]].heading, tuple(sentences[one].text for one in at))
        ((_, window),) = self._windows.of(asked.question, excerpt)
        words = [
            (start + place[0], start + place[1])
            for one, (start, end) in zip(at, window.spans, strict=True)
            if one in answers and (place := self._place_of(asked.answer, sentences[one].text, end - start))
        ]
        return Sample(window, tuple(one in answers for one in at), tuple(words))

    def _stretch(self, passage: int, at: int) -> list[int]:
        """Return sentences around one, as many as a random number of tokens allows."""
        lengths = self._lengths[passage]
        first, last = at, at
        room = self._chance.randint(*_TOKENS) - lengths[at]
        while beside := [one for one in (first - 1, last + 1) if 0 <= one < len(lengths)]:
            one = self._chance.choice(beside)
            room -= lengths[one]
            if room < 0:
                break
            first, last = min(first, one), max(last, one)
        return list(range(first, last + 1))

    def _length(self, sentence: str) -> int:
        """Return how many tokens of a sentence are read."""
        ((_, window),) = self._windows.of("", Excerpt("", (sentence,)))
        ((start, end),) = window.spans
        return end - start

    def _place_of(self, answer: str, sentence: str, length: int) -> tuple[int, int] | None:
        """Return which of a sentence's first tokens are the answer's, None where it does not stand there."""
        start = sentence.casefold().find(answer.casefold())
        if start < 0:
            return None
        offsets = self._tokenizer.encode(sentence, add_special_tokens=False).offsets[:length]
        found = [at for at, (a, b) in enumerate(offsets) if b > start and a < start + len(answer)]
        return (found[0], found[-1] + 1) if found else None


class _Alike:
    """Finds the passages that share a question's rare words."""

    def __init__(self, passages: dict[int, list[Sentence]]) -> None:
        words = {at: Counter(_words(one.text for one in found)) for at, found in passages.items()}
        often = Counter(word for counts in words.values() for word in counts)
        self._rarity = {word: math.log(1 + len(passages) / count) for word, count in often.items()}
        self._passages: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for at, counts in words.items():
            for word, count in counts.items():
                weight = self._rarity[word] ** 2 * count / (count + _SATURATION)
                self._passages[word].append((at, weight))

    def __call__(self, asked: Asked) -> list[int]:
        """Return the passages that are most alike, best first, without the question's own."""
        shared: dict[int, float] = defaultdict(float)
        for word in set(_words([asked.question])):
            if self._rarity.get(word, 0.0) >= _TELLING:
                for at, weight in self._passages[word]:
                    shared[at] += weight
        shared.pop(asked.passage, None)
        return sorted(shared, key=lambda at: -shared[at])[:_ALIKE]


def _words(texts: Iterable[str]) -> list[str]:
    return [word[:_STEM] for text in texts for word in _WORD.findall(text.casefold())]
