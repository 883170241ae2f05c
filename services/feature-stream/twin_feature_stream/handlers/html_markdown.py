"""HTML to Markdown: headings, lists, table rows, code and the words of links. Scripts, styles and navigation go.

By lxml alone. `unstructured.partition.html` takes 170 MB and fetches a language model over the network at its first
paragraph; this system must run without a network.
"""

import re

from lxml import etree  # type: ignore[import-untyped]  # lxml ships no types

from twin_contracts.records import Stage
from twin_feature_stream.ports import Rejected

_DROPPED = frozenset(
    "audio button canvas dialog embed footer form head iframe nav noscript object "  # noqa: SIM905 - 18 lines as a list
    "script select style svg template textarea video".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt "  # noqa: SIM905 - the same
    "fieldset figcaption figure h1 h2 h3 h4 h5 h6 header hr html li main ol p "
    "section summary table tbody tfoot thead tr ul".split()
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_BLANKS = re.compile("[ \t\r\n\f]+")
_BACKTICKS = re.compile("`+")
_DEEPEST_INDENT = 8
_MOST_TAGS = 500_000


def markdown_of_html(html: str) -> str | Rejected:
    """Return the page's text in Markdown, in the order of the document; broken HTML is read as a browser would.

    Refused: a page of more elements than a second can read, and one nested so deeply that the parser would drop text.
    """
    if (tags := html.count("<")) > _MOST_TAGS:
        return Rejected(Stage.CLEAN, f"the HTML has {tags:,} tags, more than the {_MOST_TAGS:,} that a text can need")
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(html.encode(), parser)
    except etree.XMLSyntaxError:  # nothing but comments or white space
        return ""
    if len(parser.error_log.filter_from_fatals()):
        return Rejected(Stage.CLEAN, "the HTML is nested too deeply to be read")
    return "" if root is None else _Page().read(root)


class _Page:
    """Collects a page's blocks while its elements open and close; nothing recurs, so depth costs nothing."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._last_kind = ""
        self._words: list[str] = []
        self._prefix = ""
        self._lists: list[str] = []

    def read(self, root: etree._Element) -> str:
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            if event == "end":
                self._close(element.tag)
                self._words.append(_BLANKS.sub(" ", element.tail or ""))
            elif element.tag in _DROPPED or element.get("role") == "navigation":
                walk.skip_subtree()
            elif element.tag == "pre":
                self._add_code(element)
                walk.skip_subtree()
            else:
                self._open(element.tag)
                self._words.append(_BLANKS.sub(" ", element.text or ""))
        self._end_block("text")
        return "".join(self._parts)

    def _open(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_block("text")
        if tag in ("ul", "ol"):
            self._lists.append(tag)
        elif tag == "li":
            marker = "1. " if self._lists[-1:] == ["ol"] else "- "
            self._prefix = "  " * min(len(self._lists) - 1, _DEEPEST_INDENT) + marker
        elif tag in _HEADINGS:
            self._prefix = _HEADINGS[tag]
        elif tag == "code":
            self._words.append("`")
        elif tag == "br":
            self._words.append("\n")

    def _close(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._words.append(" | ")
        elif tag == "code":
            self._words.append("`")
        elif tag in _BLOCKS:
            self._end_block("row" if tag == "tr" else "item" if tag == "li" else "text")
        if tag in ("ul", "ol"):
            self._lists.pop()

    def _end_block(self, kind: str) -> None:
        lines = [" ".join(line.split(" ")).strip() for line in "".join(self._words).split("\n")]
        self._words.clear()
        text = "\n".join(_BLANKS.sub(" ", line) for line in lines).strip("\n")
        if not text.strip(" |\n"):
            return
        if kind == "row":
            text = f"| {text.strip(' |')} |"
        kind = "item" if self._prefix.endswith(("- ", ". ")) else kind
        self._add(self._prefix + text, kind)
        self._prefix = ""

    def _add_code(self, element: etree._Element) -> None:
        self._end_block("text")
        for line_break in element.iter("br"):
            line_break.tail = "\n" + (line_break.tail or "")
        code = "".join(element.itertext()).strip("\n")
        fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(code)), default=0))
        self._add(f"{fence}\n{code}\n{fence}", "code")

    def _add(self, text: str, kind: str) -> None:
        if self._parts:
            self._parts.append("\n" if kind == self._last_kind and kind in ("item", "row") else "\n\n")
        self._parts.append(text)
        self._last_kind = kind
