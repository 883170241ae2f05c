"""Texts to run on: the small corpus of our own, and the real articles where TWIN_TEST_ARTICLES names their file."""

import os
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawCode, RawPost, Source, TextFormat, document_id_of

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
LONG_LINE = "allotment-year.md"
"""An article whose text is one line of 30,000 characters."""
_AUTHOR = AuthorRef.of("Ada Corpus")


def load_corpus() -> list[Raw]:
    """Return every file of the corpus as a raw document, in the order of their names."""
    return [corpus_document(path.name) for path in sorted(CORPUS.iterdir())]


def corpus_document(name: str) -> Raw:
    """Return one file: Markdown and HTML as an article, text as a post, anything else as code."""
    path = CORPUS / name
    text = path.read_text("utf-8")
    identity, source = document_id_of(f"corpus/{name}"), Source(platform="corpus", url=f"https://corpus.example/{name}")
    if path.suffix in {".md", ".html"}:
        text_format = TextFormat.HTML if path.suffix == ".html" else TextFormat.MARKDOWN
        title = path.stem.replace("-", " ").capitalize()
        return RawArticle(
            id=identity, author=_AUTHOR, source=source, text=text, title=title, language="en", format=text_format
        )
    if path.suffix == ".txt":
        return RawPost(id=identity, author=_AUTHOR, source=source, text=text, language="en")
    return RawCode(id=identity, author=_AUTHOR, source=source, text=text, repository="corpus", path=f"src/{name}")


class _Article(BaseModel):
    platform: str
    link: str
    author_full_name: str
    title: str
    subtitle: str | None
    language: str | None
    content: str


def load_articles() -> list[RawArticle]:
    """Return the real articles; for tests that carry the marker `articles`."""
    found = TypeAdapter(list[_Article]).validate_json(Path(os.environ["TWIN_TEST_ARTICLES"]).read_bytes())
    return [
        RawArticle(
            id=document_id_of(each.link),
            author=AuthorRef.of(each.author_full_name),
            source=Source(platform=each.platform, url=each.link),
            text=each.content,
            title=each.title,
            subtitle=each.subtitle,
            language=each.language,
        )
        for each in found
    ]
