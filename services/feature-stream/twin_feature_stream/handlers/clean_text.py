"""Repair of Unicode and white space that every kind of prose needs. Markdown is left as it is."""

import os
import re
import unicodedata

from twin_contracts.documents import Raw, RawCode, TextFormat, title_of
from twin_contracts.records import Metadata, Stage
from twin_feature_stream.handlers.html_markdown import markdown_of_html
from twin_feature_stream.ports import Rejected

_LINE_ENDS = re.compile("[\r\x0b\x0c\u2028\u2029]")
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_MISREAD = re.compile("[\x80-\x9f]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # control characters
    "\u00ad\u061c\u180e\u200b\u200e\u200f\ufeff"  # soft hyphens, zero-width spaces and marks of direction
    "\u202a-\u202e\u2060-\u206f"  # overrides and isolates of direction, invisible operators
    "\ufff9-\ufffb\U000e0000-\U000e007f]"  # interlinear annotation, tags: text that only a machine would read
)
_JOINER = re.compile("[\u200c\u200d]")
_NEEDLESS_JOINERS = re.compile(
    "(?<![^\x00-\x7f])[\u200c\u200d]++"  # scripts and emoji that need joiners are beyond ASCII on both sides
    "|(?<![\u200c\u200d])[\u200c\u200d]++(?![^\x00-\x7f])"
)
_STYLED = re.compile("[\U0001d400-\U0001d7ff]+")
"""Mathematical letters, which some writers use for bold and italics; a search for the plain word would miss them."""
_SYMBOLS = re.compile(r"[^\w\s\x00-\x7f]{31,}")
_MOST_MARKS = 30
_NOTHING_LEFT = "nothing is left of the {} after cleaning: it holds white space, unseen characters or markup alone"
_MANY_BLANK_LINES = re.compile("\n\n\n\n+")


def repair(text: str) -> str:
    """Return `text` in NFC, with plain letters, line ends and blanks, and without characters that nobody sees.

    Idempotent, and linear in the text's length. Blanks at line ends are removed, more than two blank lines become two.
    What is looked for character by character is looked for in one class first: measured, a tenth of the time.
    """
    if text.isascii():
        if not text.replace("\n", "").isprintable():
            text = _UNSEEN.sub("", _LINE_ENDS.sub("\n", text.replace("\r\n", "\n")))
    else:
        text = _repair_beyond_ascii(text)
    lines = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _MANY_BLANK_LINES.sub("\n\n\n", lines).strip("\n")


def _repair_beyond_ascii(text: str) -> str:
    text = _STYLED.sub(lambda styled: unicodedata.normalize("NFKC", styled[0]), _SYMBOLS.sub(_without_piles, text))
    text = _LINE_ENDS.sub("\n", unicodedata.normalize("NFC", text).replace("\r\n", "\n"))
    if _MISREAD.search(text):
        text = _quotes_misread(text)
    text = _UNSEEN.sub("", _BLANKS.sub(" ", text))
    if _JOINER.search(text):
        text = _NEEDLESS_JOINERS.sub("", text)
    return unicodedata.normalize("NFC", text)


def _without_piles(symbols: re.Match[str]) -> str:
    """Leave at most 30 combining marks on one letter, as Unicode's Stream-Safe Text Format does (UAX #15).

    No language needs more, and bringing n of them into order takes n² steps.
    """
    kept: list[str] = []
    pile = 0
    for character in symbols[0]:
        pile = pile + 1 if unicodedata.combining(character) else 0
        if pile <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _quotes_misread(text: str) -> str:
    """Put back quotation marks and dashes that were read in the wrong encoding.

    Only for text that holds C1 control characters, the sign of it. Imported here because it costs 0.7 s and because
    `unstructured` reports its use over the network when imported, unless told not to.
    """
    os.environ["DO_NOT_TRACK"] = os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
    from unstructured.cleaners.core import replace_unicode_quotes  # noqa: PLC0415

    return replace_unicode_quotes(text)


def text_in_markdown(document: Raw) -> str | Rejected:
    """Return the repaired text of prose, brought to Markdown where it came as HTML; a refusal where nothing is left."""
    text: str | Rejected = document.text
    if not isinstance(document, RawCode) and document.format is TextFormat.HTML:
        text = markdown_of_html(document.text)
    if isinstance(text, Rejected):
        return text
    text = repair(text)
    return text if text.strip() else Rejected(Stage.CLEAN, _NOTHING_LEFT.format(document.type))


def metadata_of(document: Raw) -> Metadata:
    """Return what both snapshots keep of a raw document besides its text."""
    title = " ".join(repair(title_of(document) or "").split())
    return Metadata(
        type=document.type,
        author=document.author.id,
        author_name=document.author.name,
        platform=document.source.platform,
        title=title or None,
        url=document.source.url,
        language=document.language,
        published_at=document.published_at,
    )
