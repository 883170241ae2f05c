"""The extractor's own tree to plain HTML: headings, paragraphs, lists, code, quotes, tables and nothing else.

Its own writers lose something each: the one for Markdown blank lines of code and the marks of quotes, and it puts
backslashes into the words; the one for HTML makes blocks of code inside a line and loses the numbers of lists.
"""

import html
import re

from twin_crawler.crawlers.page_tree import Tree

_TAGS = {"p": "p", "item": "li", "quote": "blockquote", "table": "table", "row": "tr", "hi": "em", "del": "del"}
_HOLD_LINES = frozenset({"p", "item", "cell", "head", "hi", "ref", "del"})
"""Code inside these stands in a line."""
_MARK = re.compile(r"<[^>]*>")
_LEVELS = frozenset("123456")


def html_of(tree: Tree) -> str:
    """Return the HTML of an extracted text, without a page around it."""
    loose = html.escape((tree.text or "").strip(), quote=False)
    return "\n".join([*([f"<p>{loose}</p>"] if loose else []), *map(_write, tree)])


def words_of(text: str) -> str:
    """Return what a reader sees of this module's HTML, in one line."""
    return " ".join(html.unescape(_MARK.sub(" ", text)).split())


def _write(element: Tree) -> str:
    inner = html.escape(element.text or "", quote=False) + "".join(map(_write, element))
    tail = html.escape(element.tail or "", quote=False)
    if element.tag == "lb":
        return "<br>" + tail
    tag = _tag(element)
    return (f"<{tag}>{inner}</{tag}>" if tag else inner) + tail


def _tag(element: Tree) -> str | None:
    """Return the HTML element's name; None for one whose words alone count."""
    rend = element.get("rend") or ""
    match element.tag:
        case "head":
            return f"h{rend[-1]}" if rend[-1:] in _LEVELS else "h2"
        case "list":
            return "ol" if rend == "ol" else "ul"
        case "cell":
            return "th" if element.get("role") == "head" else "td"
        case "code":
            return "code" if _is_in_line(element) else "pre"
        case _:
            return _TAGS.get(element.tag)


def _is_in_line(code: Tree) -> bool:
    above = code.getparent()
    broken = code.find(".//lb") is not None or "\n" in "".join(code.itertext())
    return above is not None and above.tag in _HOLD_LINES and not broken
