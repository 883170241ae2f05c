"""What cleaning repairs, what it leaves alone, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.corpus import corpus_document, load_corpus
from twin_contracts.documents import (
    AuthorRef,
    DocumentType,
    Raw,
    RawArticle,
    RawCode,
    RawPost,
    Source,
    TextFormat,
    document_id_of,
)
from twin_contracts.records import Metadata, Stage
from twin_feature_stream.handlers.clean_article import CleanArticle
from twin_feature_stream.handlers.clean_code import CleanCode
from twin_feature_stream.handlers.clean_post import CleanPost
from twin_feature_stream.handlers.clean_text import repair
from twin_feature_stream.ports import CleanDocument, CleanHandler, Rejected

HANDLERS: dict[DocumentType, CleanHandler] = {
    DocumentType.POST: CleanPost(),
    DocumentType.ARTICLE: CleanArticle(),
    DocumentType.CODE: CleanCode(),
}
IDENTITY = document_id_of("test")
AUTHOR = AuthorRef.of("Ada Test")
SOURCE = Source(platform="test", url="https://example.org/a")
odd = st.sampled_from(
    "\r\n\t \xa0\u00ad\u200b\u200c\u200d\u200e\u202e\u2028\ufeff\x07\x85\x93\x94\u0301\u0323\u212ae&apos;â\x80"
)
texts = st.lists(odd | st.text(max_size=5), max_size=60).map("".join)


def post(text: str, text_format: TextFormat = TextFormat.PLAIN) -> RawPost:
    return RawPost(id=IDENTITY, author=AUTHOR, source=SOURCE, text=text, format=text_format)


def article(text: str, subtitle: str | None = None, text_format: TextFormat = TextFormat.MARKDOWN) -> RawArticle:
    return RawArticle(
        id=IDENTITY, author=AUTHOR, source=SOURCE, text=text, title="A  title", subtitle=subtitle, format=text_format
    )


def code(text: str) -> RawCode:
    return RawCode(
        id=IDENTITY, author=AUTHOR, source=SOURCE, text=text, repository="r", path="src/a.py", language="python"
    )


def cleaned(document: Raw) -> str:
    clean = HANDLERS[document.type](document)
    assert isinstance(clean, CleanDocument)
    return clean.text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("e\u0301", "é"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("ze\u200bro \u00adwidth\ufeff", "zero width"),
        ("safe \u202edesrever\u202c", "safe desrever"),
        ("hid\U000e0041\U000e0042den", "hidden"),
        ("bell\x07 and null", "bell and null"),
        ("100\u00a0km, 5\u202f%", "100 km, 5 %"),
        ("line  \nnext\t\n", "line\nnext"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("\x93So\x94 she said, and it\x92s true", "“So” she said, and it’s true"),
        ("itâ\x80\x99s", "it's"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("pass\u200dword", "password"),
        ("    indented code", "    indented code"),
        ("# A\n\n- b\n\n```\nc\n```", "# A\n\n- b\n\n```\nc\n```"),
        ("Œuvre, ﬁn, Straße, 日本", "Œuvre, ﬁn, Straße, 日本"),
        ("𝗯𝗼𝗹𝗱 and 𝘪𝘵𝘢𝘭𝘪𝘤", "bold and italic"),
    ],
)
def test_what_nobody_sees_goes_and_the_rest_stays(raw: str, clean: str) -> None:
    assert repair(raw) == clean


@given(texts)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert repair(repair(text)) == repair(text)


@pytest.mark.parametrize("document", load_corpus(), ids=lambda document: document.source.url)
def test_a_clean_document_cleaned_again_is_the_same(document: Raw) -> None:
    text = cleaned(document)

    changes = {"text": text} if isinstance(document, RawCode) else {"text": text, "format": TextFormat.MARKDOWN}

    assert cleaned(document.model_copy(update=changes)) == text


@pytest.mark.parametrize(
    "text",
    ["\u0315\u0300" * 20_000, "\u200d" * 50_000, "." * 50_000 + " x", " " * 50_000 + "x", "\n" * 50_000, "<" * 50_000],
    ids=["marks", "joiners", "dots", "blanks", "lines", "brackets"],
)
@pytest.mark.timeout(5)
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    CleanArticle()(article(text))
    CleanArticle()(article(text, text_format=TextFormat.HTML))


def test_a_page_becomes_markdown_without_its_navigation() -> None:
    text = cleaned(corpus_document("rye-bread.html"))

    assert text.startswith("# Rye, water, salt, time\n\nA sourdough of rye wants no kneading.")
    assert "the slime of pentosans." in text
    assert "## The three stages\n\n1. Evening: 20 g of starter, 200 g of rye flour, 200 g of water at 26 °C." in text
    assert "with steam, then fifty at 190 °C.\nA loaf that sounds hollow" in text
    assert "| hours after baking | what you cut |\n| 2 | glue |\n| 24 | bread |" in text
    assert "```\nhydration = water / flour\n          = (200 + 320) / (200 + 400)\n          = 87 %\n```" in text
    assert not any(noise in text for noise in ("recipes", "margin", "track", "cookies"))


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>one<p>two", "one\n\ntwo"),
        ("plain text", "plain text"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<div>loose<p>inner</p>tail</div>", "loose\n\ninner\n\ntail"),
        ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
        ("<pre>a<br>b</pre>", "```\na\nb\n```"),
        ("<p>run <code>make</code> &amp; wait</p>", "run `make` & wait"),
        ("<?xml version='1.0' encoding='latin-1'?><p>Größe</p>", "Größe"),
        ("<table><tr><td><p>laid</p></td><td><p>out</p></td></tr></table>", "laid\n\nout"),
    ],
)
def test_html_is_read_as_a_browser_would(html: str, markdown: str) -> None:
    assert cleaned(post(html, TextFormat.HTML)) == markdown


@pytest.mark.parametrize(
    "document",
    [
        post(" \n\u200b "),
        article("\ufeff\n"),
        article("<script>only()</script>", text_format=TextFormat.HTML),
        article("<!-- nothing -->", text_format=TextFormat.HTML),
        code("\r\n\n"),
    ],
    ids=["post", "article", "script", "comment", "code"],
)
def test_a_document_of_which_nothing_is_left_is_refused(document: Raw) -> None:
    refused = HANDLERS[document.type](document)

    assert isinstance(refused, Rejected)
    assert refused.stage is Stage.CLEAN


@pytest.mark.parametrize(
    ("html", "reason"), [("<br>" * 500_001, "500,001 tags"), ("<div>" * 5000 + "lost", "nested too deeply")]
)
def test_a_page_that_cannot_be_read_whole_is_refused(html: str, reason: str) -> None:
    refused = CleanArticle()(article(html, text_format=TextFormat.HTML))

    assert isinstance(refused, Rejected)
    assert reason in refused.reason


def test_a_subtitle_becomes_the_first_paragraph() -> None:
    assert cleaned(article("The text.", subtitle="What it is about")) == "What it is about\n\nThe text."


def test_a_subtitle_that_the_text_holds_is_not_repeated() -> None:
    assert cleaned(article("### What it is about\n\nThe text.", subtitle="What it is about ")).count("about") == 1


def test_code_keeps_every_blank() -> None:
    assert (
        cleaned(code("\ufeffif a:\r\n\tb = 1  \r\n\n\n\n\n\x0c# end\u200b\r"))
        == "if a:\n\tb = 1  \n\n\n\n\n\x0c# end\u200b\n"
    )


def test_metadata_comes_from_the_raw_document() -> None:
    clean = CleanArticle()(article("Text."))

    assert isinstance(clean, CleanDocument)
    assert clean.metadata == Metadata(
        type=DocumentType.ARTICLE,
        author="ada-test",
        author_name="Ada Test",
        platform="test",
        title="A title",
        url="https://example.org/a",
    )


BUSY = [
    *(
        " ",
        "\t\n",
        "*",
        "[",
        "](",
        "- ",
        "> ",
        "> > ",
        "|",
        "<",
        "&",
        "&amp;",
        "# ",
        "```\n",
        "~~~",
        "!",
        "...",
        '"',
        "1. ",
        "\x80",
    ),
    *(
        "\r",
        "\u2028",
        "\u202e",
        "\u00a0",
        "\U0001d400",
        "{",
        "((",
        "<b>",
        "<ul><li>",
        "<pre>",
        "<p a='b' ",
        "<!--",
        "a'",
        "\n \n",
    ),
]


@pytest.mark.parametrize("unit", BUSY)
@pytest.mark.parametrize("text_format", [TextFormat.MARKDOWN, TextFormat.HTML])
@pytest.mark.timeout(10)
def test_a_document_made_to_keep_us_busy_is_cleaned_or_refused_with_the_reason(
    unit: str, text_format: TextFormat
) -> None:
    document = article(unit * (200_000 // len(unit)) + "x!", text_format=text_format)

    clean = CleanArticle()(document)

    assert clean.reason if isinstance(clean, Rejected) else clean.text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("🙂", "🙂"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("\u0301\u0323", "\u0323\u0301"),
        ("pay\u200bpal", "paypal"),
        ("p\u0430ypal", "p\u0430ypal"),  # a Cyrillic letter is a letter: it stays
        ("\u202etxt.exe\u202c", "txt.exe"),
        ("a \u2067b\u2069 c", "a b c"),
        ("שלום, עולם", "שלום, עולם"),
    ],
)
def test_what_tricks_the_eye_is_plain_to_a_search(raw: str, clean: str) -> None:
    assert cleaned(article(raw)) == clean


def test_a_source_that_hides_its_order_is_kept_as_it_is() -> None:
    trojan = "if access != 'user\u202e \u2066# admin\u2069 \u2066':\n    raise\n"

    assert cleaned(code(trojan)) == trojan
