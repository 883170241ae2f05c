"""The data folder of the embedded system: its format, its owner and its key."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from twin_cli.errors import FolderTaken, FolderUnusable, NotADataFolder, OtherFolderFormat

FORMAT = 1
"""Raised when something in the folder changes so that an older program must not touch it."""

MIGRATIONS: Mapping[int, Callable[[Path], None]] = {}
"""From a format number to what turns such a folder into the next number's."""


@dataclass(frozen=True)
class Owner:
    """Who holds the folder, as its lock file says."""

    pid: int
    url: str | None
    """None while the owner is still starting."""


class DataFolder:
    """One process at a time owns the folder; the lock ends with that process, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def key(self) -> str | None:
        """Return the key that opens the owner's API, None where the folder is new."""
        try:
            return (self.path / "key").read_text().strip() or None
        except FileNotFoundError:
            return None

    def owner(self) -> Owner | None:
        """Return the process that owns the folder now, or None where nobody does."""
        try:
            descriptor = os.open(self.path / "owner.lock", os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._written_owner()
        finally:
            os.close(descriptor)
        return None

    def take(self, migrations: Mapping[int, Callable[[Path], None]] = MIGRATIONS) -> None:
        """Become the owner of the folder, which is created or migrated where needed.

        Raises:
            FolderTaken: another process owns it.
            OtherFolderFormat: it is of a newer program, or of an older one that this one cannot migrate.
            NotADataFolder: it holds something else.
            FolderUnusable: it cannot be written.
        """
        try:
            new = self._is_new()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            if new:
                self._write("format", str(FORMAT))
            self._migrate(migrations)
            if self.key is None:
                self._write("key", secrets.token_urlsafe(32))
        except OSError as error:
            self.release()
            raise FolderUnusable(str(self.path), str(error)) from error
        except BaseException:
            self.release()
            raise

    def announce(self, url: str) -> None:
        """Write where the owner's API listens; commands find it there."""
        self._write("owner.json", json.dumps({"pid": os.getpid(), "url": url}))

    def release(self) -> None:
        """Stop owning the folder. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        """Take the folder."""
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the folder."""
        self.release()

    def _is_new(self) -> bool:
        if (self.path / "format").exists():
            return False
        if self.path.exists() and any(entry.name not in {"owner.lock", "owner.json"} for entry in self.path.iterdir()):
            raise NotADataFolder(str(self.path))
        return True

    def _take_lock(self) -> None:
        descriptor = os.open(self.path / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            owner = self._written_owner()
            raise FolderTaken(str(self.path), f"process {owner.pid}" if owner else "another process") from error
        self._lock = descriptor
        self._write("owner.json", json.dumps({"pid": os.getpid(), "url": None}))

    def _written_owner(self) -> Owner | None:
        try:
            written = json.loads((self.path / "owner.json").read_text())
            return Owner(pid=int(written["pid"]), url=written["url"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return Owner(pid=0, url=None)

    def _migrate(self, migrations: Mapping[int, Callable[[Path], None]]) -> None:
        found = (self.path / "format").read_text().strip()
        number = int(found) if found.isdecimal() else -1
        if number > FORMAT or number < 0:
            raise OtherFolderFormat(str(self.path), repr(found), FORMAT)
        for step in range(number, FORMAT):
            if step not in migrations:
                raise OtherFolderFormat(str(self.path), found, FORMAT)
            migrations[step](self.path)
            self._write("format", str(step + 1))

    def _write(self, name: str, text: str) -> None:
        """Replace a small file as a whole, readable by its owner alone."""
        temporary = self.path / f".{name}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)
