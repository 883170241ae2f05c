"""Files and folders that `twin import` reads: raw documents as JSON, Markdown, HTML, text."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from twin_cli.errors import InputUnreadable
from twin_contracts.base import DocumentId
from twin_contracts.documents import MAX_DOCUMENT_BYTES, DocumentType, TextFormat, document_id_of
from twin_contracts.http import DocumentInput

FORMATS = {
    ".md": TextFormat.MARKDOWN,
    ".markdown": TextFormat.MARKDOWN,
    ".html": TextFormat.HTML,
    ".htm": TextFormat.HTML,
    ".txt": TextFormat.PLAIN,
}
JSON_FILE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Input:
    """One document to import, or why it cannot be."""

    name: str
    """What the progress line calls it."""
    document_id: DocumentId | None = None
    document: DocumentInput | None = None
    refused: str | None = None


def read_inputs(paths: list[Path], author: str | None) -> Iterator[Input]:
    """Yield every document of these files and folders; a bad one is yielded with its reason, the others go on.

    Args:
        paths: JSON files (one document or a list), folders, or single Markdown, HTML and text files. Symbolic links
            are not followed.
        author: whose texts these are; overrides what a document itself says.

    Raises:
        InputUnreadable: a path that is not there or of a kind that cannot be read.
    """
    for path in paths:
        if path.is_dir():
            yield from _read_folder(path, author)
        elif path.suffix.lower() == ".json":
            yield from _read_json(path, author)
        elif path.suffix.lower() in FORMATS:
            yield _read_file(path, path.name, author)
        else:
            known = ", ".join(sorted({".json", *FORMATS}))
            reason = f"it ends in none of {known}" if path.exists() else "there is no such file or folder"
            raise InputUnreadable(str(path), reason)


def _read_folder(folder: Path, author: str | None) -> Iterator[Input]:
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in FORMATS and not name.startswith(".") and not path.is_symlink():
                yield _read_file(path, str(path.relative_to(folder)), author)


def _read_file(path: Path, name: str, author: str | None) -> Input:
    try:
        size = path.stat().st_size
        if size > MAX_DOCUMENT_BYTES:
            return Input(
                name, refused=f"{size:,} bytes, more than the {MAX_DOCUMENT_BYTES:,} of one document; split it"
            )
        text = path.read_bytes().decode("utf-8-sig")
        document = DocumentInput(
            type=DocumentType.ARTICLE,
            text=text,
            title=_title_of(text) or path.stem,
            author=author,
            platform="folder",
            format=FORMATS[path.suffix.lower()],
        )
    except UnicodeDecodeError as error:
        return Input(name, refused=f"not UTF-8 at byte {error.start:,}; convert it (iconv -t utf-8)")
    except OSError as error:
        return Input(name, refused=error.strerror or str(error))
    except ValidationError as error:
        return Input(name, refused=_first(error))
    return Input(name, document_id_of(path.absolute().as_uri()), document)


def _title_of(text: str) -> str | None:
    """Return a Markdown text's first heading, if it opens with one."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first.lstrip("#").strip()[:1000] or None if first.startswith("#") else None


def _read_json(path: Path, author: str | None) -> Iterator[Input]:
    try:
        if path.stat().st_size > JSON_FILE_BYTES:
            raise InputUnreadable(str(path), f"it is above {JSON_FILE_BYTES:,} bytes; split it into several files")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputUnreadable(str(path), f"{error}; expected a JSON document or a list of them") from error
    for number, item in enumerate(content if isinstance(content, list) else [content], start=1):
        yield _read_item(f"{path.name} #{number}", item, author)


def _read_item(name: str, item: object, author: str | None) -> Input:
    try:
        fields = {key: value for key, value in item.items() if value is not None} if isinstance(item, dict) else item
        document = DocumentInput.model_validate(fields)
    except ValidationError as error:
        return Input(name, refused=_first(error))
    if author is not None:
        document = document.model_copy(update={"author": author})
    key = document.url or json.dumps([document.repository, document.path, document.title, document.text])
    return Input(document.title or document.url or name, document_id_of(key), document)


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
