"""The data folder of the embedded system: its format, its owner and its key."""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from twin_cli.errors import FolderTaken, FolderUnusable, NotADataFolder, OtherFolderFormat

FORMAT = 1
"""Raised when something in the folder changes so that an older program must not touch it."""

MIGRATIONS: Mapping[int, Callable[[Path], None]] = {}
"""From a format number to what turns such a folder into the next number's."""

_LOCK, _OWNER, _FORMAT, _KEY = "owner.lock", "owner.json", "format", "key"
_PATIENCE_SECONDS = 1.0
"""A lock is waited for so long: who only looks whether there is an owner holds it for a moment."""
_RETRY_SECONDS = 0.02


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
        with self._usable():
            try:
                return (self.path / _KEY).read_text("ascii", "replace").strip() or None
            except FileNotFoundError:
                return None

    def owner(self) -> Owner | None:
        """Return the process that owns the folder now, or None where nobody does."""
        with self._usable():
            try:
                descriptor = os.open(self.path / _LOCK, os.O_RDONLY)
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
        with self._usable(), self._released_on_error():
            if self._is_new():
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.path.chmod(0o700)
            self._take_lock()
            if self._is_new():
                self._write(_FORMAT, str(FORMAT))
            self._migrate(migrations)
            if self.key is None:
                self._write(_KEY, secrets.token_urlsafe(32))

    def announce(self, url: str) -> None:
        """Write where the owner's API listens; commands find it there."""
        self._write(_OWNER, json.dumps({"pid": os.getpid(), "url": url}))

    @property
    def lost_its_owner(self) -> bool:
        """Return whether the last owner ended without a word; `twin up` starts such a one again."""
        return (self.path / _OWNER).exists()

    def release(self) -> None:
        """Stop owning the folder. Idempotent."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                (self.path / _OWNER).unlink()
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

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FolderUnusable(str(self.path), error) from error

    @contextmanager
    def _released_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.release()
            raise

    def _is_new(self) -> bool:
        """Return whether nobody finished making this folder; a kill may have left the first files of one."""
        if (self.path / _FORMAT).exists():
            return False
        if self.path.exists():
            ours = {_LOCK, _OWNER, f"{_OWNER}.new", f"{_FORMAT}.new"}
            if any(entry.name not in ours for entry in self.path.iterdir()):
                raise NotADataFolder(str(self.path))
        return True

    def _take_lock(self) -> None:
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                owner = self._written_owner()
                raise FolderTaken(str(self.path), owner.pid, owner.url)
            time.sleep(_RETRY_SECONDS)
        self._lock = descriptor
        self._write(_OWNER, json.dumps({"pid": os.getpid(), "url": None}))

    def _written_owner(self) -> Owner:
        try:
            written = json.loads((self.path / _OWNER).read_text())
            return Owner(pid=int(written["pid"]), url=written["url"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return Owner(pid=0, url=None)  # it has the lock and is about to write

    def _migrate(self, migrations: Mapping[int, Callable[[Path], None]]) -> None:
        found = (self.path / _FORMAT).read_text("ascii", "replace").strip()
        number = int(found) if found.isdecimal() else -1
        if number > FORMAT or number < 0:
            raise OtherFolderFormat(str(self.path), found, FORMAT)
        for step in range(number, FORMAT):
            if step not in migrations:
                raise OtherFolderFormat(str(self.path), found, FORMAT)
            migrations[step](self.path)
            self._write(_FORMAT, str(step + 1))

    def _write(self, name: str, text: str) -> None:
        """Replace a small file as a whole, readable by its owner alone."""
        unfinished = self.path / f"{name}.new"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path / name)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
