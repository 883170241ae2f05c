"""Files that a library has mapped into this process: their pages need not stay in it, the system's cache has them."""

import ctypes
import mmap
import resource
from pathlib import Path
from typing import Final

_MAPS, _STATM = Path("/proc/self/maps"), Path("/proc/self/statm")
_SHARED_FIELD: Final = 2


def let_go(folder: Path, above: int) -> None:
    """Drop the pages of this folder's mapped files where the process has more than `above` bytes of files resident.

    What is read again comes from the system's cache, in microseconds, or from disk where memory was short meanwhile.
    Nothing is lost that was written: these are shared mappings, whose content is the file's. Nothing happens but on
    Linux. Whoever calls makes sure that nobody unmaps a file of the folder meanwhile.
    """
    if not _STATM.exists() or _resident() <= above:
        return
    libc = ctypes.CDLL(None)
    for line in _MAPS.read_text("utf-8", "replace").splitlines():
        span, permissions, *_, path = line.split(maxsplit=5) if line.count(" ") else ("", "", "")
        if permissions.endswith("s") and path.startswith(f"{folder.resolve()}/"):
            start, end = (int(address, 16) for address in span.split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def _resident() -> int:
    """Return the bytes of mapped files, libraries among them, that are resident in this process."""
    return int(_STATM.read_text().split()[_SHARED_FIELD]) * resource.getpagesize()
