"""A folder of this machine that is no repository: its source files."""

import os
from collections.abc import Iterator
from pathlib import Path

from twin_contracts.crawl import Refusal
from twin_crawler.crawlers.source_files import LeftOut, by_content, by_name, is_markdown


def source_files(folder: Path) -> Iterator[tuple[str, str] | Refusal]:
    """Yield path and text of every source file below a folder, by the rules that hold for repositories.

    Hidden files are left out, and what may not be read is refused; symbolic links are not followed.
    """
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            place = Path(parent, name)
            path = place.relative_to(folder).as_posix()
            if name.startswith(".") or is_markdown(path) or place.is_symlink() or not place.is_file():
                continue
            try:
                text = by_name(path, place.stat().st_size) or by_content(path, place.read_bytes())
            except OSError as error:
                unreadable.append(error)
                continue
            if not isinstance(text, LeftOut):
                yield path, text
    for failed in unreadable:
        yield Refusal(what=str(failed.filename), reason=failed.strerror or str(failed))
