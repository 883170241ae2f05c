"""Files and folders that `twin import` reads: raw documents as JSON, Markdown, HTML, text."""

import json
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from twin_cli.errors import InputUnreadable
from twin_contracts.base import DocumentId
from twin_contracts.documents import MAX_DOCUMENT_BYTES, DocumentType, TextFormat, document_id_of
from twin_contracts.http import DocumentInput
from twin_platform.titles import title_of

FORMATS = {
    ".md": TextFormat.MARKDOWN,
    ".markdown": TextFormat.MARKDOWN,
    ".html": TextFormat.HTML,
    ".htm": TextFormat.HTML,
    ".txt": TextFormat.PLAIN,
}
_UTF_16 = (BOM_UTF16_LE, BOM_UTF16_BE)
_CONVERT = "convert it, for example by: iconv -f {} -t utf-8 FILE"
_EXPECTED = 'expected a JSON object with "text" in it, or a list of such objects'
JSON_FILE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Input:
    """One document to import, or why it cannot be."""

    name: str
    """What a message calls it."""
    document_id: DocumentId | None = None
    document: DocumentInput | None = None
    refused: str | None = None


def read_inputs(paths: list[Path], author: str | None) -> Iterator[Input]:
    """Yield every document of these files and folders; a bad one is yielded with its reason, the others go on.

    A document that names a URL has the id of that URL, a file the id of its place: imported again after an edit, it is
    the same document. A JSON document that names neither URL nor repository is what it says: edited, it is another.

    Args:
        paths: JSON files (one document or a list), folders, or single Markdown, HTML and text files. Inside a folder,
            symbolic links are not followed and hidden files are left out.
        author: whose texts these are; overrides what a document itself says.

    Raises:
        InputUnreadable: a path that is not there or of a kind that cannot be read.
    """
    for path in paths:
        try:
            path.stat()
        except OSError as error:
            raise InputUnreadable(_printable(path), error.strerror or str(error)) from error
        if path.is_dir():
            yield from _read_folder(path, author)
        elif path.suffix.lower() == ".json":
            yield from _read_json(path, author)
        elif path.suffix.lower() in FORMATS:
            yield _read_file(path, _printable(path.name), author)
        else:
            known = ", ".join(sorted({".json", *FORMATS}))
            raise InputUnreadable(_printable(path), f"its name ends in none of {known}")


def _read_folder(folder: Path, author: str | None) -> Iterator[Input]:
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in FORMATS and not name.startswith(".") and not path.is_symlink():
                yield _read_file(path, _printable(path.relative_to(folder)), author)
    for error in unreadable:
        yield Input(_printable(error.filename), refused=error.strerror or str(error))


def _read_file(path: Path, name: str, author: str | None) -> Input:
    text_format = FORMATS[path.suffix.lower()]
    url = path.resolve().as_uri()
    try:
        if not path.is_file():
            return Input(name, refused="no regular file")
        size = path.stat().st_size
        if size > MAX_DOCUMENT_BYTES:
            reason = f"it has {size:,} bytes, more than the {MAX_DOCUMENT_BYTES:,} of one document; split it"
            return Input(name, refused=reason)
        text = _decoded(path.read_bytes())
        document = DocumentInput(
            type=DocumentType.ARTICLE,
            text=text,
            title=title_of(text, text_format) or _printable(path.stem),
            author=author,
            url=url,
            platform="folder",
            format=text_format,
        )
    except UnicodeDecodeError as error:
        return Input(name, refused=f"it is not UTF-8 at byte {error.start:,}; {_CONVERT.format('latin1')}")
    except OSError as error:
        return Input(name, refused=error.strerror or str(error))
    except ValidationError as error:
        hint = f"; {_CONVERT.format('utf-16')}" if "\x00" in text else ""
        return Input(name, refused=_first(error) + hint)
    return Input(name, document_id_of(url), document)


def _decoded(content: bytes) -> str:
    """Return a file's text: UTF-8, or the UTF-16 that its first bytes say it is."""
    return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")


def _read_json(path: Path, author: str | None) -> Iterator[Input]:
    try:
        if path.stat().st_size > JSON_FILE_BYTES:
            raise InputUnreadable(_printable(path), f"it is above {JSON_FILE_BYTES:,} bytes; split it into several")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputUnreadable(_printable(path), error.strerror or str(error)) from error
    except RecursionError as error:
        raise InputUnreadable(_printable(path), f"it is nested too deeply; {_EXPECTED}") from error
    except ValueError as error:
        why = (
            str(error) if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else "it holds an endless number"
        )
        raise InputUnreadable(_printable(path), f"{why}; {_EXPECTED}") from error
    for number, item in enumerate(content if isinstance(content, list) else [content], start=1):
        yield _read_item(f"{_printable(path.name)} #{number}", item, author)


def _read_item(name: str, item: object, author: str | None) -> Input:
    if not isinstance(item, dict):
        return Input(name, refused=f"it is no JSON object; {_EXPECTED}")
    try:
        document = DocumentInput.model_validate({key: value for key, value in item.items() if value is not None})
        key = _key_of(document)
        if author is not None:
            document = DocumentInput.model_validate({**document.model_dump(exclude_none=True), "author": author})
    except ValidationError as error:
        return Input(name, refused=_first(error))
    return Input(document.title or document.url or name, document_id_of(key), document)


def _key_of(document: DocumentInput) -> str:
    if document.url:
        return document.url
    if document.repository and document.path:
        return f"{document.repository}/{document.path}"
    return json.dumps([document.type, document.author, document.title, document.text])


def _printable(path: Path | str) -> str:
    """Return a name that can be stored and shown, whatever bytes the file system has for it."""
    return os.fsencode(path).decode("utf-8", "replace")


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
