"""A web page: its main text, without navigation, comments and boxes."""

import re

from pydantic import ValidationError
from trafilatura import bare_extraction, load_html

from twin_contracts.documents import RawArticle, Source, TextFormat, document_id_of
from twin_crawler.crawlers.block_pages import obstacle_in
from twin_crawler.crawlers.charset import text_of
from twin_crawler.crawlers.page_facts import Facts, facts_of
from twin_crawler.crawlers.page_html import html_of, words_of
from twin_crawler.crawlers.page_tree import Tree, prepare
from twin_crawler.crawlers.platforms import platform_of
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import Authorship, Fetched

MOST_TAGS = 50_000
"""A longer page is a listing or made to keep a parser busy."""
_FEWEST_LETTERS = 80
_NOT_FOR_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SAYS_HTML = re.compile("html", re.IGNORECASE)
"""The extractor refuses what does not begin by saying what it is; the header has said it already."""
_MOST_ODD = 0.05
"""Share of a text's characters that may be none."""
_EXPORT = "if the text is yours, export it there and use `twin import`"


def read_page(fetched: Fetched, authorship: Authorship) -> RawArticle:
    """Return the article of a page, in HTML of headings, paragraphs, lists, code, quotes and tables alone.

    Its id is that of its canonical URL, so that ways to the same page are one document.

    Raises:
        FetchRefused: it holds no text, or something stands before it: a login, a captcha, a paywall, JavaScript.
    """
    decoded = text_of(fetched.body, fetched.charset)
    page = _NOT_FOR_XML.sub("", decoded)
    if len(decoded) - len(page) + page.count("\ufffd") > _MOST_ODD * len(decoded):
        raise FetchRefused(fetched.url, Reason.NO_TEXT, "it is no text but something binary, or in an unknown charset")
    if (tags := page.count("<")) > MOST_TAGS:
        raise FetchRefused(
            fetched.url, Reason.TOO_LARGE, f"it has {tags:,} tags, more than the {MOST_TAGS:,} of a text"
        )
    tree = _tree(fetched, page)
    prepare(tree)
    facts = facts_of(tree, fetched.url)
    found = bare_extraction(tree, fetched.url, output_format="xml", include_comments=False, include_formatting=True)
    body = found.body if found is not None and not isinstance(found, dict) else None
    text = html_of(body) if body is not None else ""
    words = words_of(text)
    if obstacle := obstacle_in(_tree(fetched, page), facts.title or "", words):
        raise FetchRefused(fetched.url, Reason.BLOCK_PAGE, f"{obstacle}; {_EXPORT}")
    if sum(map(str.isalnum, words)) < _FEWEST_LETTERS:
        raise FetchRefused(fetched.url, Reason.NO_TEXT, f"nothing on it reads like a text; {_EXPORT}")
    return _article(fetched, facts, text, authorship)


def _tree(fetched: Fetched, page: str) -> Tree:
    tree = load_html(page if _SAYS_HTML.search(page, 0, 100) else f"<!doctype html>{page}")
    if tree is None:
        raise FetchRefused(fetched.url, Reason.NO_TEXT, f"it is empty or no HTML; {_EXPORT}")
    return tree


def _article(fetched: Fetched, facts: Facts, text: str, authorship: Authorship) -> RawArticle:
    try:
        return RawArticle(
            id=document_id_of(facts.url),
            author=authorship.of(facts.byline),
            source=Source(platform=platform_of(facts.url), url=facts.url, etag=fetched.etag),
            text=text,
            language=facts.language,
            published_at=facts.published_at,
            title=facts.title or facts.url,
            format=TextFormat.HTML,
        )
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise FetchRefused(fetched.url, Reason.NO_TEXT, f"it cannot be stored: {where}: {problem['msg']}") from error
