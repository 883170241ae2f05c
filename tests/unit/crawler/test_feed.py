"""Feeds: what becomes a document, and what is refused before a parser sees it."""

from collections.abc import Callable

import pytest

from twin_contracts.crawl import LinkKind, Refusal
from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawPost, Source, document_id_of
from twin_crawler.crawlers.feed import MAX_ENTRIES, ReadFeed, looks_like_feed
from twin_crawler.errors import FetchFailed, FetchRefused, Reason
from twin_crawler.ports import Authorship, Fetched, Found, Gone, Item, Note

OWNER = AuthorRef.of("Olga Owner")
URL = "https://blog.example/feed.xml"


def page(link: str, authorship: Authorship) -> Raw:
    """What stands behind an entry's link."""
    match link.rpartition("/")[2]:
        case "gone":
            raise FetchRefused(link, Reason.GONE, "it answers 404")
        case "late":
            raise FetchFailed(link, "it answers 503")
        case "walled":
            raise FetchRefused(link, Reason.FORBIDDEN, "it answers 403")
    source = Source(platform="web", url=link)
    return RawArticle(
        id=document_id_of(link), author=authorship.of("A Byline"), source=source, title="Behind", text="page"
    )


def read(body: str | bytes, given: AuthorRef | None = None, **answer: str) -> list[Item]:
    content = body.encode() if isinstance(body, str) else body
    fetched = Fetched(URL, 200, content, "application/xml", **answer)  # type: ignore[arg-type]  # strings all of them
    return list(ReadFeed(page)(fetched, Authorship(OWNER, given)))


def rss(*items: str, channel: str = "<link>https://www.blog.example/</link>") -> str:
    inside = "".join(f"<item>{item}</item>" for item in items)
    return (
        '<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>B</title>{channel}{inside}</channel></rss>'
    )


FULL = "<title>Rye &amp;amp; &lt;i&gt;bread&lt;/i&gt;</title><link>https://Blog.example:443/rye#top</link>"
CONTENT = "<content:encoded><![CDATA[<p>Feed the <a href='/starter'>starter</a>.</p>]]></content:encoded>"


def documents(items: list[Item]) -> list[Raw]:
    return [item for item in items if isinstance(item, RawPost | RawArticle)]


def refusals(items: list[Item]) -> list[Refusal]:
    return [item for item in items if isinstance(item, Refusal)]


def test_an_entry_with_its_full_content_is_an_article_of_its_own_author() -> None:
    date = "<pubDate>Thu, 02 Jan 2025 03:04:05 +0100</pubDate><dc:creator>Ann Writer</dc:creator>"

    items = read(rss(FULL + CONTENT + date), etag='"1"', last_modified="yesterday")

    assert items[0] == Found(LinkKind.FEED, 1, etag='"1"', last_modified="yesterday")
    (article,) = documents(items)
    assert isinstance(article, RawArticle)
    assert article.title == "Rye & bread"
    assert article.text == '<p>Feed the <a href="https://blog.example/starter">starter</a>.</p>'
    assert article.author == AuthorRef.of("Ann Writer")
    assert (article.source.url, article.id) == ("https://blog.example/rye", document_id_of("https://blog.example/rye"))
    assert article.published_at is not None
    assert article.published_at.isoformat() == "2025-01-02T02:04:05+00:00"


def test_an_entry_without_a_title_is_a_post() -> None:
    (post,) = documents(read(rss("<link>https://blog.example/1</link><description>Short thought.</description>")))

    assert isinstance(post, RawPost)
    assert post.text == "Short thought."


@pytest.mark.parametrize(
    "beginning",
    [
        "<description>A summary of it.</description>",
        "<content:encoded>&lt;p&gt;It begins well […]&lt;/p&gt;</content:encoded>",
        "<description>Some words. Read more →</description>",
        "",
    ],
)
def test_an_entry_that_holds_only_its_beginning_is_read_from_its_own_page(beginning: str) -> None:
    (article,) = documents(read(rss(FULL + beginning)))

    assert (article.text, article.author.name) == ("page", "A Byline")


def test_the_feeds_author_stands_for_entries_without_one_and_a_given_author_for_all() -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><author><name>Ann</name></author>'
        "<entry><title>T</title><id>urn:1</id><content>Text.</content></entry></feed>"
    )

    assert [each.author.id for each in documents(read(atom))] == ["ann"]
    assert [each.author.id for each in documents(read(atom, given=AuthorRef.of("Bob")))] == ["bob"]


def test_an_entry_without_a_link_is_known_by_its_id_and_one_without_either_is_refused() -> None:
    items = read(
        rss("<guid isPermaLink='false'>7</guid><description>One.</description>", "<description>Two.</description>")
    )

    (post,) = documents(items)
    assert (post.id, post.source.url) == (document_id_of(f"{URL}#7"), None)
    assert [refusal.what for refusal in refusals(items)] == ["entry 2"]


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "https://olga:secret@blog.example/x"])
def test_a_link_that_is_no_web_address_is_never_kept(link: str) -> None:
    (post,) = documents(read(rss(f"<guid>1</guid><link>{link}</link><title>T</title>{CONTENT}")))

    assert post.source.url is None


def test_what_another_site_wrote_is_not_fetched() -> None:
    items = read(rss("<title>T</title><link>https://other.example/text</link><description>I like this.</description>"))

    assert documents(items) == []
    assert "another site" in refusals(items)[0].reason


def test_an_entry_that_fails_does_not_stop_the_others() -> None:
    entries = [
        f"<title>T</title><link>https://blog.example/{name}</link>" for name in ("walled", "late", "gone", "fine")
    ]

    items = read(rss(*entries))

    assert [type(item) for item in items] == [Found, Refusal, Refusal, Gone, RawArticle]
    assert [refusal.reason for refusal in refusals(items)] == ["it answers 403", "it answers 503"]


def test_a_feed_of_very_many_entries_is_read_up_to_a_number_and_says_so() -> None:
    items = read(rss(*[f"<guid>{n}</guid><description>{n}</description>" for n in range(MAX_ENTRIES + 1)]))

    assert len(documents(items)) == MAX_ENTRIES
    assert [item.text for item in items if isinstance(item, Note)] == ["the first 500 of 501 entries were read"]


@pytest.mark.parametrize("character", ["&#0;", "&#x1;", "\x01"])
def test_characters_that_no_store_can_hold_spoil_their_entry_alone(character: str) -> None:
    items = read(
        rss(f"<title>T{character}</title><guid>1</guid><description>a{character}</description>", FULL + CONTENT)
    )

    assert "Rye & bread" in [item.title for item in items if isinstance(item, RawArticle)]


def test_an_impossible_date_is_no_date() -> None:
    (post,) = documents(read(rss("<guid>1</guid><description>d</description><pubDate>Mon, 99 Foo 0000</pubDate>")))

    assert post.published_at is None


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><rss version='2.0'><channel><item><description>&i;</description></item></channel></rss>"
)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (BOMB, "document type"),
        (BOMB.encode("utf-16"), "document type"),
        ('<!DOCTYPE rss SYSTEM "file:///etc/passwd"><rss><channel/></rss>', "document type"),
        ("<!-- x --><!doctype feed><feed/>", "document type"),
        ('<!ENTITY x "y"><rss/>', "document type"),
        ("<!DOCTYPE html><html><body>Hello</body></html>", "web page"),
        ("<html><body>Hello</body></html>", "web page"),
        ("just text", "no RSS"),
        ("", "no RSS"),
        ('{"version": "https://jsonfeed.org/version/1"}', "no RSS"),
        ("/etc/passwd", "no RSS"),
        ("https://blog.example/other.xml", "no RSS"),
        ("<opml version='2.0'><body/></opml>", "no RSS"),
        ('<?xml version="1.0" encoding="utf-7"?>+ADw-rss/+AD4-', "no RSS"),
        (b"\x00\x01\x02\x03\xff", "no RSS"),
        (b"\xff\xfe<\x00", "no RSS"),
        ("<rss><channel><item", "cannot be read"),
        (rss("<guid>1</guid><description>&#xD800;</description>"), "cannot be read"),
        (rss("<guid>1</guid><description>&#x110000;</description>"), "cannot be read"),
        (rss("<guid>1</guid><description>&#99999999999999999999;</description>"), "cannot be read"),
        ("<rss" + "x" * 100_000, "no RSS"),
    ],
)
def test_what_is_no_feed_or_would_do_harm_is_refused(body: str | bytes, why: str) -> None:
    with pytest.raises(FetchRefused, match=why) as refused:
        read(body)

    assert refused.value.reason is Reason.FEED


@pytest.mark.parametrize(
    ("body", "is_feed"),
    [
        (rss(), True),
        ("\n<?xml version='1.0'?>\n<?xml-stylesheet href='x'?><!-- a --><feed xmlns='x'>", True),
        ("<rdf:RDF xmlns:rdf='x'>", True),
        ("<html><rss >", False),
        ("<feedback>", False),
    ],
)
def test_a_feed_is_known_by_its_root(body: str, is_feed: bool) -> None:  # noqa: FBT001 - the table's second column
    assert looks_like_feed(body.encode()) is is_feed


@pytest.mark.parametrize("encode", [lambda s: s.encode("utf-16"), lambda s: b"\xef\xbb\xbf" + s.encode()])
def test_a_feed_with_a_byte_order_mark_is_read(encode: Callable[[str], bytes]) -> None:
    feed = rss("<guid>1</guid><description>Müller</description>")

    (post,) = documents(read(encode(feed)))

    assert post.text == "Müller"
