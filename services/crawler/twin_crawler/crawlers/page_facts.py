"""What a page says of itself: its title, who wrote it and when, its language, its own URL."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from trafilatura.metadata import extract_metadata

from twin_crawler.address import normalised
from twin_crawler.crawlers.page_tree import Tree
from twin_crawler.errors import FetchRefused

_MAX_TITLE, _MAX_NAME = 1000, 100
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}")
_NO_NAME = re.compile(r"[@/<>{}]|https?:")
_NAMED = (
    "//*[contains(concat(' ',@class,' '),' p-author ')]",
    "//*[@itemprop='author']//*[@itemprop='name']",
    "//*[@typeof='schema:Person'][@property='schema:name']",
    "//*[contains(@class,'author') and contains(@class,'vcard')]//*[contains(concat(' ',@class,' '),' fn ')]",
)
"""Where the common engines put an author's name, and nothing else."""
_JSON_AUTHOR = re.compile(r'"author"\s*:\s*(?:\[\s*)?\{[^{}]*?"name"\s*:\s*("(?:[^"\\]|\\.){1,200}")')


@dataclass(frozen=True, slots=True)
class Facts:
    """Nothing is guessed: what a page does not say is None."""

    url: str
    title: str | None
    byline: str | None
    language: str | None
    published_at: datetime | None


def facts_of(tree: Tree, url: str) -> Facts:
    """Return what the page fetched from `url` says of itself."""
    found = extract_metadata(tree, url, extensive=False)
    return Facts(
        url=_canonical(tree, url),
        title=_title(tree, found.title),
        byline=_byline(tree, found.author),
        language=_language(tree),
        published_at=_day(found.date),
    )


def _title(tree: Tree, found: str | None) -> str | None:
    """Return the longest heading that the page's own title holds; without one that title, site name and all."""
    titles = [
        _line(text) for text in (found or "", *tree.xpath("//title/text()|//meta[@property='og:title']/@content"))
    ]
    headings = [_line(heading.text_content()) for heading in tree.xpath("//h1|//h2|//h3")]
    within = [heading for heading in headings if heading and any(heading in title for title in titles)]
    return max(within, key=len, default=next(filter(None, titles), ""))[:_MAX_TITLE] or None


def _byline(tree: Tree, guessed: str | None) -> str | None:
    """Return the first author: of the page's metadata, of marked-up places, as the extractor guesses."""
    names = [*tree.xpath("//meta[@name='author']/@content"), *_authors_in_json(tree)]
    for place in _NAMED:
        names += [element.text_content() for element in tree.xpath(place)]
    names += [(guessed or "").split(";")[0], *(link.text_content() for link in tree.xpath("//*[@rel='author']"))]
    lines = [_line(name) for name in names]
    return next((name for name in lines if name and len(name) <= _MAX_NAME and not _NO_NAME.search(name)), None)


def _authors_in_json(tree: Tree) -> Iterator[str]:
    for script in tree.xpath("//script[@type='application/ld+json']"):
        for quoted in _JSON_AUTHOR.findall(script.text or ""):
            with suppress(ValueError):
                yield str(json.loads(quoted))


def _canonical(tree: Tree, url: str) -> str:
    """Return the URL that the page names as its own, if it is one of the same site and not the site itself."""
    for place in tree.xpath("//link[@rel='canonical']/@href"):
        try:
            named = normalised(urljoin(url, place.strip()))
        except (FetchRefused, ValueError):
            continue
        path = urlsplit(named).path.strip("/")
        if _site(named) == _site(url) and (path or not urlsplit(url).path.strip("/")):
            return named
    return url


def _site(url: str) -> str:
    split = urlsplit(url)
    return f"{(split.hostname or '').removeprefix('www.')}:{split.port}"


def _language(tree: Tree) -> str | None:
    for named in tree.xpath("/html/@lang|/html/@xml:lang|//meta[@http-equiv='content-language']/@content"):
        if _LANGUAGE.fullmatch(named.strip()):
            return str(named.strip().replace("_", "-"))
    return None


def _day(found: str | None) -> datetime | None:
    """Return the beginning, in UTC, of the day that a page names."""
    try:
        return datetime.strptime(found, "%Y-%m-%d").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def _line(text: str) -> str:
    return " ".join(text.split())
