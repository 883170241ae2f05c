"""What a text calls itself; found in time linear in the text, whatever stands in it."""

import html
import re

from twin_contracts.documents import TextFormat

MAX_TITLE = 1000
_MAX_LINE = 2000
"""Characters that are looked at: a line can be as long as its file."""
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_FRONT_TITLE = re.compile(rf"^title:(.{{1,{_MAX_LINE}}})", re.MULTILINE)
_HEADING = re.compile(rf"\A {{0,3}}#{{1,6}}[ \t](.{{1,{_MAX_LINE}}})")
_QUOTED = re.compile(r"(['\"])(.+)\1")
_CLOSING_MARKS = re.compile(r"[ \t]#+\Z")
_HTML_OPEN = {tag: re.compile(rf"<{tag}\b[^<>]*>", re.IGNORECASE) for tag in ("title", "h1")}
_HTML_CLOSE = {tag: re.compile(rf"</{tag}\s*>", re.IGNORECASE) for tag in ("title", "h1")}
_TAG = re.compile(r"<[^<>]*>")


def title_of(text: str, text_format: TextFormat) -> str | None:
    """Return a text's title: HTML's `title` or `h1`, Markdown's front matter or the heading it opens with."""
    text = text.replace("\r\n", "\n")
    if text_format is TextFormat.HTML:
        title = html.unescape(_TAG.sub(" ", _html_title(text)))
    elif text_format is TextFormat.MARKDOWN:
        title = _markdown_title(text)
    else:
        title = ""
    return " ".join(title.split())[:MAX_TITLE] or None


def _html_title(text: str) -> str:
    """Return what the first `title` or `h1` holds, whichever comes first and is closed."""
    opened = [(opening, tag) for tag, mark in _HTML_OPEN.items() if (opening := mark.search(text))]
    for opening, tag in sorted(opened, key=lambda one: one[0].start()):
        if closing := _HTML_CLOSE[tag].search(text, opening.end() + 1):
            return text[opening.end() : closing.start()]
    return ""


def _markdown_title(text: str) -> str:
    front = _FRONT_MATTER.match(text)
    given = _FRONT_TITLE.search(front[1]) if front else None
    if given:
        title = given[1].strip()
        quoted = _QUOTED.fullmatch(title)
        return quoted[2] if quoted else title
    heading = _HEADING.match(text[front.end() :].strip("\n") if front else text.strip("\n"))
    return _CLOSING_MARKS.sub("", heading[1].rstrip()) if heading else ""
