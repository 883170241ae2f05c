"""A page to an article: what survives, what the page says of itself, what is no text."""

from datetime import UTC, datetime

import pytest

from twin_contracts.documents import AuthorRef, RawArticle, TextFormat, document_id_of
from twin_crawler.crawlers.charset import text_of
from twin_crawler.crawlers.page import read_page
from twin_crawler.crawlers.platforms import platform_of
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import Authorship, Fetched
from twin_feature_stream.handlers.html_markdown import markdown_of_html

OWNER = AuthorRef.of("Olga Owner")
URL = "https://blog.example/2025/rye"
WORDS = "".join(f"<p>On day {day} the starter wants flour, a warm place and a patient baker.</p>" for day in range(9))


def read(page: str | bytes, url: str = URL, charset: str | None = None, given: AuthorRef | None = None) -> RawArticle:
    body = page if isinstance(page, bytes) else page.encode()
    return read_page(Fetched(url, 200, body, "text/html", charset, etag='"v1"'), Authorship(OWNER, given))


def html(body: str = WORDS, head: str = "<title>Rye</title>") -> str:
    return f"<!doctype html><html lang='en'><head>{head}</head><body><article>{body}</article></body></html>"


def test_a_page_is_an_article_with_the_id_of_its_url() -> None:
    article = read(html())

    assert article.id == document_id_of(URL)
    assert (article.source.url, article.source.platform, article.source.etag) == (URL, "blog.example", '"v1"')
    assert (article.format, article.language) == (TextFormat.HTML, "en")


def test_headings_lists_code_quotes_and_tables_survive() -> None:
    code = "def feed(jar):\n    if jar:\n        return jar * 2\n\n    return None"
    article = read(
        html(
            f"<h2>Feeding</h2>{WORDS}<ul><li>flour<ul><li>rye</li></ul></li><li>water</li></ul>"
            f"<ol><li>stir</li><li>wait</li></ol><pre><code>{code}</code></pre><p>Run <code>feed(jar)</code> twice.</p>"
            "<blockquote><p>Bread is mostly waiting.</p></blockquote>"
            "<table><tr><th>Flour</th><th>Hours</th></tr><tr><td>Rye</td><td>5</td></tr></table>"
        )
    )

    markdown = markdown_of_html(article.text)

    assert isinstance(markdown, str)
    assert "## Feeding" in markdown
    assert "- flour\n  - rye\n- water" in markdown
    assert "1. stir\n1. wait" in markdown
    assert f"```\n{code}\n```" in markdown
    assert "Run `feed(jar)` twice." in markdown
    assert "<blockquote><p>Bread is mostly waiting.</p></blockquote>" in article.text
    assert "| Flour | Hours |\n| Rye | 5 |" in markdown


def test_text_that_looks_like_markup_stays_text() -> None:
    article = read(html(f"{WORDS}<p>Write &lt;script&gt; and a_b * c &amp; go, it is only text in here.</p>"))

    assert "<script>" not in article.text
    assert "Write <script> and a_b * c & go" in str(markdown_of_html(article.text))


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>Rye | The Blog of Olga</title>", f"<h1>Rye</h1>{WORDS}", "Rye"),
        ("<title>Olga: Rye in winter</title>", f"<h1>Olga</h1><h3>Rye in winter</h3>{WORDS}", "Rye in winter"),
        ("<title>Rye</title>", WORDS, "Rye"),
        ("<title> Rye \n bread </title>", WORDS, "Rye bread"),
        ("", WORDS, URL),
    ],
)
def test_the_title_is_the_articles_not_the_sites(head: str, body: str, title: str) -> None:
    assert read(html(body, head)).title == title


LINKED = '<script type="application/ld+json">{"@type": "Article", "author": [{"name": "Ann Wr\\u00edter"}]}</script>'


@pytest.mark.parametrize(
    ("head", "body", "author"),
    [
        ('<meta name="author" content="Ann Writer">', WORDS, "Ann Writer"),
        (LINKED, WORDS, "Ann Wríter"),
        ("", f'<p>By <span class="author vcard"><a class="url fn n">Ann Writer</a></span></p>{WORDS}', "Ann Writer"),
        ("", f'{WORDS}<ol class="comments"><li class="author vcard"><b class="fn">Guest</b></li></ol>', OWNER.name),
        ('<meta name="author" content="ann@blog.example">', WORDS, OWNER.name),
        ("", WORDS, OWNER.name),
    ],
)
def test_a_text_is_its_bylines_else_the_owners(head: str, body: str, author: str) -> None:
    assert read(html(body, f"<title>Rye</title>{head}")).author.name == author


def test_whoever_is_named_with_the_link_wins_over_the_byline() -> None:
    article = read(html(WORDS, '<meta name="author" content="Ann Writer">'), given=AuthorRef.of("Eve"))

    assert article.author == AuthorRef.of("Eve")


@pytest.mark.parametrize(
    ("canonical", "url"),
    [
        ("/2025/rye-bread?page=1#top", "https://blog.example/2025/rye-bread?page=1"),
        ("http://www.blog.example/rye", "http://www.blog.example/rye"),
        ("https://elsewhere.example/rye", URL),
        ("https://blog.example/", URL),
        ("javascript:void(0)", URL),
        ("http://[", URL),
        ("", URL),
    ],
)
def test_a_page_may_name_its_own_url_on_its_own_site(canonical: str, url: str) -> None:
    article = read(html(head=f'<link rel="canonical" href="{canonical}">'))

    assert (article.source.url, article.id) == (url, document_id_of(url))


def test_the_day_of_publication_is_taken_where_the_page_names_one() -> None:
    dated = '<meta property="article:published_time" content="2025-03-01T08:00:00+01:00">'

    assert read(html(head=dated)).published_at == datetime(2025, 3, 1, tzinfo=UTC)
    assert read(html()).published_at is None


@pytest.mark.parametrize(
    ("body", "header", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), None, "Grüße"),
        ("Grüße".encode("latin-1"), "ISO-8859-1", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße".encode("utf-8-sig"), "latin-1", "Grüße"),
        ("Grüße".encode("utf-16"), None, "Grüße"),
        (b'<meta charset="koi8-r">' + "мука".encode("koi8-r"), None, '<meta charset="koi8-r">мука'),
        ("粉".encode("shift_jis"), "Shift_JIS", "粉"),
        (b"Gr\xff\xfee", "utf-8", "Gr\ufffd\ufffde"),
        (b"Gr\x81e", "windows-1252", "Gr\ufffde"),
        (b"flour", "rot13", "flour"),
        (b"flour", "no-such-charset", "flour"),
        (b"flour", "\x00", "flour"),
        (b"flour", "utf-16", "flour"),
    ],
)
def test_bytes_become_text_as_in_a_browser(body: bytes, header: str | None, text: str) -> None:
    assert text_of(body, header) == text


def test_a_few_broken_characters_spoil_no_page() -> None:
    page = html(f"<p>Rye \x00\x08 bread \ufffe &#xD800; &#0; is fine.</p>{WORDS}").encode("utf-8", "surrogatepass")

    assert "bread" in read(page + b"\xff\xfe", charset="utf-8").text


@pytest.mark.parametrize(
    "body",
    [
        f"<h2>Verify you are human</h2><p>How a captcha works, and why you must log in to see it.</p>{WORDS * 3}",
        f"<p>Sign in to continue, it said; I did not, and wrote this about it instead, with some anger.</p>{WORDS * 3}",
        f"<p>This post is for paid subscribers, it said, and I closed the window.</p>{WORDS * 3}",
        f"{WORDS}<form><input type='password'></form>",
        f"{WORDS}<noscript>Please enable JavaScript to view the comments.</noscript>",
    ],
)
def test_a_text_about_obstacles_or_beside_one_is_still_a_text(body: str) -> None:
    assert "patient baker" in read(html(body)).text


@pytest.mark.parametrize(
    ("title", "body", "head"),
    [
        ("Log in", "<p>Members of the guild of bakers may come in here, others may not, we are sorry to say.</p>", ""),
        ("Rye", f"{WORDS}<div class='wall'>This post is for paid subscribers</div>", ""),
        ("Rye", f"{WORDS}<div>Create an account to read the full story.</div>", ""),
        ("Blog", "<div id='app'></div><p>Bitte aktivieren Sie JavaScript, um diese Seite zu sehen.</p>", ""),
        ("404", "<p>The page that you were looking for has been moved, or it was never here at all.</p>", ""),
    ],
)
def test_what_stands_before_a_text_is_not_stored_as_one(title: str, body: str, head: str) -> None:
    with pytest.raises(FetchRefused) as refused:
        read(html(body, f"<title>{title}</title>{head}"))

    assert refused.value.reason is Reason.BLOCK_PAGE
    assert "twin import" in str(refused.value)


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 20_000 + WORDS,
        "<table><tr><td>" * 15_000 + WORDS,
        "<script type='application/ld+json'>" + '"author":{' * 50_000 + "</script>" + WORDS,
        "<div>" * 200 + "<input type='email'>" * 9_000 + WORDS,
        "<title>" + "please " * 200_000 + "</title>" + WORDS,
        "<!--" * 12_000,
        "<" * 40_000,
    ],
    ids=["depth", "tables", "false JSON", "fields", "title", "comments", "marks"],
)
@pytest.mark.timeout(20)
def test_a_page_made_to_keep_a_parser_busy_does_not(page: str) -> None:
    try:
        assert len(read(page).title) <= 1000
    except FetchRefused as refused:
        assert refused.reason in {Reason.NO_TEXT, Reason.TOO_LARGE}  # noqa: PT017 - either is well


@pytest.mark.parametrize(
    ("url", "platform"),
    [
        ("https://olga.substack.com/p/rye", "substack"),
        ("https://medium.com/@olga/rye", "medium"),
        ("https://www.blog.example:8080/rye", "blog.example"),
        ("https://notmedium.com/rye", "notmedium.com"),
    ],
)
def test_the_platform_is_the_hosts_name_or_whom_it_belongs_to(url: str, platform: str) -> None:
    assert platform_of(url) == platform
