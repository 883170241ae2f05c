"""What is done to a page before its main text is looked for: old and odd markup made plain, sign-up boxes dropped.

Each rule is one that the extractor lacks; `make eval-extraction` shows what it is worth.
"""

import json
import re
from typing import Any

Tree = Any
"""An lxml element; lxml ships no types."""

_WORD = re.compile(r"\w")
_NO_NUMBER = re.compile(r"[^\d\s]")
_LANDMARKS = "//article|//main|//*[@role='main']"
_COMMENTS = frozenset({"comments", "comment-list", "commentlist", "comments-area", "comments-section", "respond"})
_BOX_CHARACTERS = 400
"""A sign-up box has fewer; a text that holds one has more."""
_MOST_BOXES = 50
_MOSTLY_LINKS = 0.6
_NONSENSE_CHARACTERS = 20_000


def prepare(tree: Tree) -> None:
    """Change the page in place."""
    _drop_long_nonsense(tree)
    _drop_comments(tree)
    _drop_permalinks(tree)
    _unwrap_numbered_code(tree)
    _unwrap_figures(tree)
    _drop_signup_boxes(tree)
    _turn_fonts_into_paragraphs(tree)
    _drop_lines_of_links(tree)
    _reduce_layout_table(tree)
    _mark_bare_body(tree)


def _drop_long_nonsense(tree: Tree) -> None:
    """Drop long metadata that is no JSON: the extractor would search it for minutes."""
    for script in tree.xpath("//script[contains(@type,'json')]"):
        if len(script.text or "") > _NONSENSE_CHARACTERS:
            try:
                json.loads(script.text, strict=False)
            except (ValueError, RecursionError):
                script.drop_tree()


def _drop_comments(tree: Tree) -> None:
    """Drop what readers wrote: their names would else be taken for the author's."""
    for part in tree.xpath("//div|//section|//ol|//ul|//dl"):
        names = {*(part.get("class") or "").lower().split(), (part.get("id") or "").lower()}
        if not names.isdisjoint(_COMMENTS) and part.getparent() is not None and part.find(".//h1") is None:
            part.drop_tree()


def _drop_permalinks(tree: Tree) -> None:
    """Drop links of a mark alone (#, ¶): beside a heading they make it look like navigation."""
    for link in list(tree.iter("a")):
        if not _WORD.search(link.text_content()) and link.find(".//img") is None:
            link.drop_tree()


def _unwrap_numbered_code(tree: Tree) -> None:
    """Replace a table that sets line numbers beside code by the code."""
    for table in list(tree.iter("table")):
        blocks = list(table.iter("pre"))
        for block in blocks:
            if _NO_NUMBER.search(block.text_content()):
                table.addprevious(block)
        if blocks:
            table.drop_tree()


def _unwrap_figures(tree: Tree) -> None:
    """Take text out of figures, which are otherwise taken for pictures."""
    for figure in list(tree.iter("figure")):
        if any(figure.find(f".//{tag}") is not None for tag in ("blockquote", "pre", "table")):
            figure.drop_tag()


def _drop_signup_boxes(tree: Tree) -> None:
    """Drop the small boxes around a field for an email address, in whatever place of the text they stand."""
    for field in tree.xpath("//input[@type='email']")[:_MOST_BOXES]:
        box = None
        for above in field.iterancestors():
            if above.tag in ("html", "body", "main", "article") or _size(above) > _BOX_CHARACTERS:
                break
            if above.find(".//h1") is not None:
                break
            box = above
        if box is not None:
            box.drop_tree()


def _turn_fonts_into_paragraphs(tree: Tree) -> None:
    """Make a text of lines inside a `font` a paragraph; before style sheets it was one."""
    for font in list(tree.iter("font")):
        if font.find("br") is not None:
            font.tag = "p"


def _drop_lines_of_links(tree: Tree) -> None:
    """Drop paragraphs that are a bar of links."""
    for line in list(tree.iter("p", "small")):
        links = list(line.iter("a"))
        if len(links) > 1 and sum(map(_size, links)) > _MOSTLY_LINKS * _size(line):
            line.drop_tree()


def _reduce_layout_table(tree: Tree) -> None:
    """Where tables make the layout, keep the innermost cell that holds more than half of the page's text."""
    body = tree.find(".//body")
    if body is None or tree.xpath(_LANDMARKS):
        return
    half = _size(body) / 2
    cells = [cell for cell in body.iter("td") if _size(cell) > half]
    if cells:
        _put_alone(body, cells[-1])


def _mark_bare_body(tree: Tree) -> None:
    """Make an article of a page without any container, so that its headings and lists count."""
    body = tree.find(".//body")
    if body is None or tree.xpath(f"{_LANDMARKS}|//div|//section"):
        return
    article = body.makeelement("article")
    article.text = body.text
    article.extend(list(body))
    _put_alone(body, article)


def _put_alone(body: Tree, element: Tree) -> None:
    element.tag = "article"
    element.tail = None
    for child in list(body):
        body.remove(child)
    body.text = None
    body.append(element)


def _size(element: Tree) -> int:
    return len(" ".join(element.text_content().split()))
