"""What a question is about, and what kind of words would answer it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from twin_rag_api.words import STOP_WORDS, plain, stem, terms, words


class Wanted(StrEnum):
    """What an answer has to contain; a text that has none of it does not answer."""

    NUMBER = "number"
    MOMENT = "moment"
    PERSON = "person"
    ANYTHING = "anything"


_WANTED: Final = (
    (
        Wanted.NUMBER,
        (
            r"\bhow (?:much|many|long|large|big|fast|old|popular|far|often|tall|high|expensive)\b"
            r"|\b(?:what|which)(?: is| was)?(?: the| its)? (?:[a-z-]+ )?"
            r"(?:percentage|share|price|port|size|length|accuracy|perplexity|score|rate"
            r"|capacity|latency|salary|number of)\b|\bwhich version\b"
        ),
    ),
    (Wanted.MOMENT, r"(?:^|[.:!?] )(?:(?:and|but|so|since|until) )*when\b|\b(?:which|what) (?:year|month|day)\b"),
    (Wanted.PERSON, r"\bwho(?:se|m)?\b"),
)
_UNITS: Final = (
    (
        r"\bhow long\b|\bhow many (?:hours|minutes|days|seconds)\b|\bhow old\b",
        r"(?:h|min|m?s|(?:milli)?second|minute|hour|day|week|month|year)s?\b",
    ),
    (
        r"\bhow much (?:longer|faster|slower|more|less|smaller|larger|bigger|cheaper|additional|extra|better)\b",
        r"(?:x\b|×|%|times|percent)",
    ),
    (r"\b(?:percentage|share|percent|rate|accuracy)\b", r"(?:%|percent|per cent)"),
    (
        r"\bhow (?:big|large)\b|\bhow much (?:vram|ram|memory|space|disk|storage)\b",
        r"(?:[kmgt]i?b\b|bytes?|gigabytes?|%|x\b|[kb]\b|million|billion|parameters|lines|tokens)",
    ),
)
_MONEY_ASKED = re.compile(r"\b(?:costs?|prices?|charges?|pays?|paid|budget|bill|fees?|earns?|salar(?:y|ies)|wages?)\b")
_MONEY = re.compile(r"[$€£]\s?\d|\d\s?(?:[$€£]|usd|dollars?|euros?|cents?)|\bfree\b")
_COMPARED = re.compile(
    r"\b(?:better|worse|(?:more|less) [a-z]+"
    r"|(?:fast|slow|cheap|larg|small|bigg|high|low|long|short|easi|hard|strong|old|new)er)\b.* (?:or|than)\b"
)
_COMPARISON = re.compile(r"\b(?:than|compared (?:to|with)|outperforms?|beats?|as [a-z]+ as|while|whereas|unlike)\b")
_COUNTED = re.compile(
    r"\b(?:how many|(?:what|which)(?: is| was)? the (?:[a-z]+ )?number of) (?:[\w-]+ ){0,2}?([\w-]+)"
    r"(?= (?:does|do|did|is|are|was|were|has|have|had|can|could|should|will|per|that|which"
    r"|in|on|of|to|a|each|from|for|with|the)\b|\?|$)"
)
_NUMBER_WORDS: Final = frozenset(
    """one two three four five six seven eight nine ten eleven twelve dozen dozens hundred hundreds thousand thousands
    million billion half twice""".split()  # noqa: SIM905 - a list of words reads better in lines
)
_NUMBER = re.compile(r"\d[\d.,]*")
_MOMENT = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\bet al\b|\b(?:[A-Z][\w’'-]+ (?:(?:and|&) )?){1,3}[A-Z][\w’'-]+|\bby [A-Z][\w’-]+")
_FIRST_PERSON = re.compile(r"\b(?:I|my|myself)\b")
_WHY_ASKED = re.compile(r"why|how come|what makes|for what reason")
_REASON = re.compile(
    r"\b(?:because|since|due to|so that|thus|therefore|as a result|allows?|reason|in order to|to avoid|helps?|prevents?"
    r"|lets?|makes?|advantage|problem|issue)\b"
)
_POINTS_BACK = re.compile(
    r"^(?:and|but|so|what about|how about)\b|\b(?:it|its|they|them|their|he|she|this|that|these|those|one)\b"
)
_NAME = re.compile(r"(?<!^)\b[A-Z0-9][\w.-]*")
_REACH_OF_NUMBER: Final = 5


@dataclass(frozen=True)
class Question:
    """A question taken apart."""

    text: str
    """What it is compared by: without marks, with the turn before it where it points back."""
    terms: tuple[str, ...]
    """Stems of its content words, each once."""
    names: tuple[str, ...]
    """Those of them that were written like a name or a number."""
    wanted: Wanted
    unit: re.Pattern[str] | None
    """What has to stand in an answer: a number of it, an amount, a comparison; None where the question does not say."""
    counted: str | None
    """Stem of what is counted: `how many columns` wants a number of columns."""
    known: frozenset[str]
    """Stems of all its words: they are no answer to it."""
    asks_why: bool
    points_back: bool
    """Whether it was read with the turn before it."""

    @property
    def strict(self) -> bool:
        """Whether an answer can be told by the kind of word in it."""
        return self.wanted is not Wanted.ANYTHING

    def has_wanted(self, text: str) -> float:
        """Return how far a plain text has the kind of words that answer: 0 not at all, 1 surely."""
        match self.wanted:
            case Wanted.NUMBER:
                fresh = any(number.strip(".,") not in self.known for number in _NUMBER.findall(text))
                return 1.0 if fresh else 0.5 * bool(_NUMBER_WORDS & set(words(text)))
            case Wanted.MOMENT:
                return float(bool(_MOMENT.search(text)))
            case Wanted.PERSON:
                named = any(self._is_news(match[0]) for match in _PERSON.finditer(text))
                return 1.0 if named else 0.3 * bool(_FIRST_PERSON.search(text))
            case Wanted.ANYTHING:
                return 1.0

    def fits_unit(self, text: str) -> float:
        """Return 1 where a number in it is of what the question asks for, -1 where none is, 0 where it does not say."""
        if self.unit:
            return 1.0 if self.unit.search(text.casefold()) else -1.0
        if self.counted is None:
            return 0.0
        found = words(text)
        places = (
            at
            for at, word in enumerate(found)
            if word in _NUMBER_WORDS or (word[0].isdigit() and word not in self.known)
        )
        after = (stem(word) for at in places for word in found[at + 1 : at + _REACH_OF_NUMBER])
        return 1.0 if self.counted in after else -1.0

    def gives_reason(self, text: str) -> bool:
        """Return whether a reason is asked for, and a plain text sounds like one."""
        return self.asks_why and bool(_REASON.search(text.casefold()))

    def _is_news(self, name: str) -> bool:
        return any(word[0].isupper() and stem(word.casefold()) not in self.known for word in name.split())


def read_question(text: str, previous: str = "") -> Question:
    """Take a question apart; where it points back to the turn before, it is about that one's words, too."""
    asked = plain(text)
    lower = asked.casefold()
    points_back = bool(previous) and bool(_POINTS_BACK.search(lower))
    whole = f"{asked} {plain(previous)}" if points_back else asked
    content = dict.fromkeys(stem(word) for word in words(whole) if word not in STOP_WORDS)
    names = dict.fromkeys(term for name in _NAME.findall(whole) for term in terms(name) if term in content)
    counted = _COUNTED.search(lower)
    return Question(
        text=whole,
        terms=tuple(content),
        names=tuple(names),
        wanted=next((wanted for wanted, pattern in _WANTED if re.search(pattern, lower)), Wanted.ANYTHING),
        unit=_unit(lower),
        counted=stem(counted[1].rpartition("-")[2]) if counted else None,
        known=frozenset(terms(whole)),
        asks_why=bool(_WHY_ASKED.match(lower)),
        points_back=points_back,
    )


def _unit(asked: str) -> re.Pattern[str] | None:
    if _MONEY_ASKED.search(asked):
        return _MONEY
    unit = next((unit for pattern, unit in _UNITS if re.search(pattern, asked)), None)
    if unit:
        return re.compile(rf"\d[\d.,]*\s*[-~]?\s*{unit}")
    return _COMPARISON if _COMPARED.search(asked) else None
