"""Who listens on a port of this machine, as far as Linux tells this user."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def holder_of(port: int) -> str | None:
    """Return the process that listens on `port`, as a person would look for it; None where that cannot be known."""
    inodes = {inode for name in ("tcp", "tcp6") for inode in _listeners(_PROC / "net" / name, port)}
    if not inodes:
        return None
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if any(_inode(link) in inodes for link in (process / "fd").iterdir()):
                program = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                return f"process {process.name} ({program[:80]})"
    return None


def _listeners(table: Path, port: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for line in table.read_text("ascii").splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield rest[5]


def _inode(link: Path) -> str | None:
    with contextlib.suppress(OSError):
        found = _SOCKET.fullmatch(str(link.readlink()))
        return found[1] if found else None
    return None
