"""Several processes' logs as one: each line with who says it, as soon as it is whole."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

POLL_SECONDS: Final = 0.1
_WIDEST_NAME: Final = 10


class MergedLog:
    """Follows files that others append to; one that appears later is read from its beginning."""

    def __init__(self, files: Callable[[], dict[str, Path]], write: Callable[[str], None]) -> None:
        """Prepare to follow.

        Args:
            files: returns the files by the name of who writes each.
            write: takes a line.
        """
        self._files, self._write = files, write
        self._read: dict[Path, int] = {path: path.stat().st_size for path in files().values() if path.exists()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="merged-log", daemon=True)

    def look(self) -> None:
        """Write what is new."""
        for name, path in self._files().items():
            if not path.exists():
                continue
            with path.open("rb") as log:
                log.seek(self._read.get(path, 0))
                whole, newline, _ = log.read().rpartition(b"\n")
            self._read[path] = self._read.get(path, 0) + len(whole) + len(newline)
            for line in whole.decode("utf-8", "replace").splitlines():
                self._write(f"{name:<{_WIDEST_NAME}} {line}")

    def __enter__(self) -> Self:
        """Return it, following."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Write what is left, and stop following."""
        self._stop.set()
        self._thread.join()
        self.look()

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.look()
