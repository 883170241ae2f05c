"""Texts made to keep a program busy: a search that goes back again and again holds the whole process meanwhile."""

import time

import pytest

from twin_contracts.documents import TextFormat
from twin_crawler.crawlers.page import read_page
from twin_crawler.ports import Authorship, Fetched
from twin_platform.titles import title_of
from unit.crawler.test_feed import OWNER, read, rss
from unit.crawler.test_page import html

SECONDS = 5.0
"""Each of these took minutes to hours."""
_MARKS = "&amp;lt;" * 100_000


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * 500_000 + "b",
        "# a" + " #" * 250_000 + "b",
        "---\ntitle: 'a" + " " * 500_000 + "b\n---\n",
        "---\ntitle: '" + "'" * 500_000 + "b\n---\n",
    ],
    ids=["spaces in a heading", "marks in a heading", "spaces in front matter", "quotes in front matter"],
)
def test_a_title_of_half_a_megabyte_keeps_nobody_waiting(text: str) -> None:
    began = time.monotonic()

    title_of(text, TextFormat.MARKDOWN)

    assert time.monotonic() - began < SECONDS


def test_a_feed_of_opening_marks_keeps_nobody_waiting() -> None:
    entry = f"<title>{_MARKS}</title><link>https://blog.example/rye</link><description>x</description>"
    began = time.monotonic()

    read(rss(entry))

    assert time.monotonic() - began < SECONDS


def test_metadata_of_white_space_keeps_nobody_waiting() -> None:
    script = '<script type="application/ld+json">{"author":' + " " * 200_000 + "1}</script>"
    page = html(head=f"<title>Rye</title>{script}")
    began = time.monotonic()

    read_page(Fetched("https://blog.example/rye", 200, page.encode(), "text/html"), Authorship(OWNER))

    assert time.monotonic() - began < SECONDS
