"""Is an article kept, and what stands around it left out? `make eval-extraction`.

`benchmarks/pages/` holds twenty pages, written for this in the shapes of common engines, each with a manifest: its
sentences (list items, table rows and lines of code count as such) and the texts of its navigation, boxes and comments.
What is measured is what the index sees: the page as the crawler reads it, then cleaned as the feature stream does.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import trafilatura
from pydantic import BaseModel

from benchmarks.report import Row, report
from twin_contracts.documents import AuthorRef, RawArticle
from twin_crawler.crawlers.page import read_page
from twin_crawler.errors import FetchRefused
from twin_crawler.ports import Authorship, Fetched
from twin_feature_stream.handlers.clean_article import CleanArticle
from twin_feature_stream.ports import Rejected

PAGES = Path(__file__).parent / "pages"
KEPT_GOAL, NAVIGATION_GOAL = 98.0, 3.0
"""Percent."""
_ALONE = "trafilatura by itself"
_NOBODY = AuthorRef(id="nobody", name="nobody")


class Page(BaseModel, frozen=True):
    """One page's manifest, and where the page lies."""

    url: str
    title: str
    author: str | None
    published: date | None
    sentences: tuple[str, ...]
    navigation: tuple[str, ...]
    file: Path = Path()

    @property
    def name(self) -> str:
        """Return the shape it is written in."""
        return self.file.stem

    def fetched(self) -> Fetched:
        """Return the page as a site would send it, without a charset in the header."""
        return Fetched(url=self.url, status=200, body=self.file.read_bytes(), media_type="text/html")


@dataclass(frozen=True, slots=True)
class Score:
    """What of one page was lost, and what came in that does not belong."""

    lost: tuple[str, ...]
    intruded: tuple[str, ...]


def pages() -> list[Page]:
    """Return the twenty pages."""
    return [
        Page.model_validate_json(manifest.read_bytes()).model_copy(update={"file": manifest.with_suffix(".html")})
        for manifest in sorted(PAGES.glob("*.json"))
    ]


def score(page: Page, text: str) -> Score:
    """Compare a text with the page's manifest, by its words alone."""
    found = f" {words(text)} "
    return Score(
        lost=tuple(sentence for sentence in page.sentences if f" {words(sentence)} " not in found),
        intruded=tuple(each for each in page.navigation if f" {words(each)} " in found),
    )


def words(text: str) -> str:
    """Return the words of a text, one space between them."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def document_of(page: Page) -> RawArticle | None:
    """Return what the crawler makes of the page; None where it refuses it."""
    try:
        return read_page(page.fetched(), Authorship(_NOBODY))
    except FetchRefused:
        return None


def indexed_text(page: Page) -> str:
    """Return the text that would be indexed."""
    document = document_of(page)
    cleaned = CleanArticle()(document) if document else None
    return "" if cleaned is None or isinstance(cleaned, Rejected) else cleaned.text


def extracted_alone(page: Page) -> str:
    """Return what the extractor makes of the page with its defaults."""
    return trafilatura.extract(page.file.read_bytes(), include_comments=False, output_format="markdown") or ""


def measures(found: list[Page]) -> list[Row]:
    """Return the figures."""
    began = time.perf_counter()
    kept, intruded = _shares(found, indexed_text)
    seconds = time.perf_counter() - began
    kept_alone, intruded_alone = _shares(found, extracted_alone)
    documents = [(page, document_of(page)) for page in found]
    return [
        Row("sentences kept", kept, "%", _ALONE, kept / kept_alone, f">= {KEPT_GOAL:g}", kept >= KEPT_GOAL),
        Row(
            "navigation kept",
            intruded,
            "%",
            _ALONE,
            intruded / intruded_alone,
            f"< {NAVIGATION_GOAL:g}",
            intruded < NAVIGATION_GOAL,
        ),
        _right("titles right", ((page.title, each and each.title) for page, each in documents)),
        _right("authors right", ((page.author or _NOBODY.name, each and each.author.name) for page, each in documents)),
        _right("dates right", ((page.published, _day(each)) for page, each in documents)),
        _right("own URLs right", ((page.url, each and each.source.url) for page, each in documents)),
        Row("a page, cleaning included", 1000 * seconds / len(found), "ms"),
    ]


def _shares(found: list[Page], read: Callable[[Page], str]) -> tuple[float, float]:
    scores = [score(page, read(page)) for page in found]
    lost, intruded = sum(len(each.lost) for each in scores), sum(len(each.intruded) for each in scores)
    sentences, navigation = sum(len(page.sentences) for page in found), sum(len(page.navigation) for page in found)
    return 100 * (1 - lost / sentences), 100 * intruded / navigation


def _right(measure: str, pairs: Iterable[tuple[object, object]]) -> Row:
    listed = list(pairs)
    return Row(measure, sum(expected == found for expected, found in listed), f"of {len(listed)}")


def _day(document: RawArticle | None) -> date | None:
    return document.published_at.date() if document and document.published_at else None


def main() -> None:
    """Print what each page lost or let in, then the figures; write them."""
    found = pages()
    for page in found:
        result = score(page, indexed_text(page))
        print(f"{page.name:20} lost {len(result.lost)} of {len(page.sentences)}", end="")
        print(
            f", let in {len(result.intruded)} of {len(page.navigation)}", *result.lost, *result.intruded, sep="\n    "
        )
    report("extraction", measures(found))


if __name__ == "__main__":
    main()
