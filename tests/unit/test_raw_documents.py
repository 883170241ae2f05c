import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from twin_contracts.documents import (
    RAW_DOCUMENT,
    AuthorRef,
    Raw,
    RawArticle,
    RawCode,
    RawPost,
    Source,
    TextFormat,
    content_hash,
    document_id_of,
    document_id_of_client,
    title_of,
)

ARTICLE_ID = "a7bbff48-bee8-5d75-b7c7-3f0b1d1a283c"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = AuthorRef(id="ada-lovelace", name="Ada Lovelace")
SOURCE = Source(platform="blog", url="https://example.com/blog/on-queues", fetched_at=NOON, etag="1")

ARTICLE = RawArticle(id=ARTICLE_ID, author=ADA, source=SOURCE, text="A queue.", title="On queues", committed_at=NOON)
POST = RawPost(id=ARTICLE_ID, author=ADA, source=SOURCE, text="A queue.", committed_at=NOON)
CODE = RawCode(id=ARTICLE_ID, author=ADA, source=SOURCE, text="queue = []", repository="r", path="src/queue.py")

OTHERWISE: dict[str, Any] = {
    "id": "e7398a6a-9640-5d57-a05e-e4cb0398d729",
    "author": AuthorRef(id="ada-lovelace", name="Ada King"),
    "source": SOURCE.model_copy(update={"platform": "medium"}),
    "text": "Another text.",
    "language": "en",
    "published_at": NOON,
    "title": "Another title",
    "subtitle": "Another subtitle",
    "format": TextFormat.HTML,
    "repository": "another",
    "path": "another.py",
}
"""A different value for every field that reaches a snapshot."""
CONTENT = [
    pytest.param(document, field, id=f"{document.type}-{field}")
    for document in (POST, ARTICLE, CODE)
    for field in sorted(type(document).model_fields.keys() - {"committed_at", "type"})
]


def wire(**fields: object) -> dict[str, object]:
    return {**POST.model_dump(mode="json", exclude_none=True), **fields}


@pytest.mark.parametrize(("document", "field"), CONTENT)
def test_every_field_that_reaches_a_snapshot_changes_the_hash(document: Raw, field: str) -> None:
    assert content_hash(document.model_copy(update={field: OTHERWISE[field]})) != content_hash(document)


def test_the_type_changes_the_hash() -> None:
    assert content_hash(POST) != content_hash(ARTICLE)


@pytest.mark.parametrize(
    "again",
    [
        ARTICLE.model_copy(update={"source": SOURCE.model_copy(update={"fetched_at": None})}),
        ARTICLE.model_copy(update={"source": SOURCE.model_copy(update={"etag": "2"})}),
        ARTICLE.model_copy(update={"committed_at": None}),
    ],
    ids=["fetched_at", "etag", "committed_at"],
)
def test_how_and_when_it_was_fetched_and_committed_is_no_content(again: Raw) -> None:
    assert content_hash(again) == content_hash(ARTICLE)


def test_the_hash_is_of_this_very_text_in_every_release() -> None:
    hashed = (
        '{"id":"a7bbff48-bee8-5d75-b7c7-3f0b1d1a283c","author":{"id":"ada-lovelace","name":"Ada Lovelace"},'
        '"source":{"platform":"blog","url":"https://example.com/blog/on-queues"},"text":"A queue.",'
        '"type":"article","title":"On queues","format":"markdown"}'
    )

    assert content_hash(ARTICLE) == hashlib.sha256(hashed.encode()).hexdigest()


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_survives_storage_with_its_hash(text: str) -> None:
    document = POST.model_copy(update={"text": text})

    again = RAW_DOCUMENT.validate_json(RAW_DOCUMENT.dump_json(document))

    assert again == document
    assert content_hash(again) == content_hash(document)


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"], ids=["NUL", "lone surrogate"])
def test_text_that_no_store_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        RawPost(id=ARTICLE_ID, author=ADA, source=SOURCE, text=text)


def test_a_lone_surrogate_in_json_is_refused() -> None:
    with pytest.raises(ValidationError):
        RAW_DOCUMENT.validate_json(RAW_DOCUMENT.dump_json(POST).replace(b"A queue.", b"\\ud800"))


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        RAW_DOCUMENT.validate_python(wire(published_at="2026-03-01T12:00:00"))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        RAW_DOCUMENT.validate_python(wire(type="podcast"))


def test_an_unknown_field_is_ignored() -> None:
    assert RAW_DOCUMENT.validate_python(wire(reactions=12)) == RAW_DOCUMENT.validate_python(wire())


def test_a_document_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(POST, "text", "another")  # noqa: B010  # the type checker refuses the plain assignment already


@pytest.mark.parametrize(("document", "title"), [(ARTICLE, "On queues"), (CODE, "src/queue.py"), (POST, None)])
def test_a_citation_calls_a_document_by_title_or_path(document: Raw, title: str | None) -> None:
    assert title_of(document) == title


def test_document_ids_are_the_same_on_every_machine_and_in_every_release() -> None:
    assert document_id_of("https://example.com/blog/on-queues") == ARTICLE_ID
    assert document_id_of_client("on-queues") == "fac3d448-5cb3-5fbf-9584-d0848fe3e1cf"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("  ADA   lovelace ", "ada-lovelace"),
        ("José Núñez", "jose-nunez"),
        ("Jean-Luc O'Neill, PhD", "jean-luc-o-neill-phd"),
        ("Straße 7", "strasse-7"),
    ],
)
def test_an_author_id_is_the_slug_of_the_name(name: str, slug: str) -> None:
    assert AuthorRef.of(name).id == slug


@pytest.mark.parametrize(("name", "spelling"), [("Мария", " МАРИЯ"), ("李小龍", "李小龍 "), ("Søren", "SØREN")])
def test_spellings_of_a_name_beyond_ascii_agree(name: str, spelling: str) -> None:
    assert AuthorRef.of(name).id == AuthorRef.of(spelling).id


def test_names_that_differ_in_letters_no_slug_can_hold_are_two_authors() -> None:
    assert len({AuthorRef.of(name).id for name in ("Anna", "Anna Иванова", "Anna Петрова")}) == 3


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_name_makes_an_author(name: str) -> None:
    author = AuthorRef.of(name)

    assert AuthorRef.of(author.name).id == author.id or author.name == "Unknown" or len(author.name) == 200
