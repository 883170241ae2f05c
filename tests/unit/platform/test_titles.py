"""What a text calls itself, found in a moment in whatever text: the search holds the whole process meanwhile."""

import pytest

from twin_contracts.documents import TextFormat
from twin_platform.titles import title_of

SIZE = 300_000


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("<title>Site</title><h1>Heading</h1>", "Site"),
        ("<h1 class='a'>Rye &amp; <em>salt</em></h1 ><title>Site</title>", "Rye & salt"),
        ("<h1>never closed <title>Site</TITLE>", "Site"),
        ("<h1></h1><title>Site</title>", "Site"),
        ("<p>nothing</p>", None),
    ],
)
def test_a_page_has_its_title_or_first_heading(text: str, title: str | None) -> None:
    assert title_of(text, TextFormat.HTML) == title


@pytest.mark.parametrize(
    "unit", ["<h1>", "<title>", "<h1 ", "<", "</h1 ", "&amp;", "<h1></h1>", "# ", "---\n", "title: x\n", "'", " "]
)
@pytest.mark.parametrize("begin", ["", "<h1>", "<title>a</title", "# a", "---\ntitle: '"])
@pytest.mark.parametrize("text_format", [TextFormat.HTML, TextFormat.MARKDOWN])
@pytest.mark.timeout(5)
def test_no_text_keeps_anybody_waiting_for_its_title(text_format: TextFormat, begin: str, unit: str) -> None:
    title = title_of(begin + unit * (SIZE // len(unit)) + "x!", text_format)

    assert title is None or len(title) <= 1000
