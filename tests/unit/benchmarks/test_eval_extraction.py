"""The extraction's evaluation: its pages are what they say, and its figures hold."""

import html
import re

import pytest

from benchmarks.eval_extraction import KEPT_GOAL, NAVIGATION_GOAL, Page, measures, pages, score, words

PAGES = pages()
MANIFEST = Page(
    url="https://blog.example/a",
    title="Rye",
    author=None,
    published=None,
    sentences=("Feed the jar.", "Wait a day."),
    navigation=("Sign up", "More posts"),
)


def test_a_sentence_counts_by_its_words_whatever_marks_stand_between() -> None:
    result = score(MANIFEST, "# Rye\n\n- Feed **the** jar\n\nSIGN UP! signup")

    assert result.lost == ("Wait a day.",)
    assert result.intruded == ("Sign up",)


def test_there_are_twenty_pages() -> None:
    assert len(PAGES) == 20
    assert len({page.url for page in PAGES}) == 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manifest_fits_its_page(page: Page) -> None:
    source = page.file.read_text("utf-8")
    seen = f" {words(html.unescape(re.sub('<[^>]*>', ' ', source)))} ".replace("_", " ")
    article = f" {' '.join(map(words, page.sentences))} "

    assert [each for each in page.navigation if f" {words(each)} " not in seen] == []
    assert [each for each in page.navigation if f" {words(each)} " in article] == []
    assert len(page.sentences) >= 15


def test_the_goals_are_reached() -> None:
    figures = {row.measure: row.value for row in measures(PAGES)}

    assert figures["sentences kept"] >= KEPT_GOAL
    assert figures["navigation kept"] < NAVIGATION_GOAL
