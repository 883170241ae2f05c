"""Errors of the command and the launcher; a person reads them, so each says what to do."""

import errno
from pathlib import Path

from twin_platform.errors import PermanentError


class CommandError(PermanentError):
    """Base of what the command says before it exits with a non-zero status."""


class FolderTaken(CommandError):
    """Another process owns the data folder."""

    def __init__(self, folder: str, pid: int, url: str | None) -> None:
        self.folder, self.pid, self.url = folder, pid, url
        who = f"process {pid}" if pid else "another process"
        where = f", which serves it at {url}" if url else ""
        super().__init__(
            f"the data folder {folder!r} is in use by {who}{where}; use that one (every `twin` command does), or stop "
            "it, or set TWIN_DATA to another folder"
        )


class OtherFolderFormat(CommandError):
    """The data folder has a format number that this program cannot use."""

    def __init__(self, folder: str, found: str, known: int) -> None:
        self.folder, self.found, self.known = folder, found, known
        super().__init__(
            f"the data folder {folder!r} has format {found!r}, this program reads format {known}; "
            "use the release of LLM Twin that wrote it, or set TWIN_DATA to a new folder and import again"
        )


class NotADataFolder(CommandError):
    """A folder that holds something else."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"{folder!r} is not empty and no data folder of LLM Twin; set TWIN_DATA to a new or empty folder"
        )


_MENDED = {
    errno.EACCES: "run as the user whose it is, or give this one the right to write there",
    errno.EPERM: "run as the user whose it is, or give this one the right to write there",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "make the disk writable",
    errno.ENOTDIR: "move the file that is in its place",
    errno.EEXIST: "move the file that is in its place",
    errno.EISDIR: "move the folder that is in a file's place",
}


_OF_ONE_FILE = {errno.EACCES, errno.EPERM, errno.EISDIR}


class FolderUnusable(CommandError):
    """The data folder cannot be read or written."""

    def __init__(self, folder: str, error: OSError) -> None:
        self.folder, self.error = folder, error
        why = error.strerror or str(error)
        name = Path(str(error.filename)).name if error.errno in _OF_ONE_FILE and error.filename else ""
        where = f" ({name!r})" if name and name != Path(folder).name else ""
        mended = _MENDED.get(error.errno or 0, "mend that")
        super().__init__(
            f"the data folder {folder!r} cannot be used: {why}{where}; {mended}, or set TWIN_DATA to another folder"
        )


class DocumentsMissing(CommandError):
    """A data folder that had documents has none: whatever is still searchable would be deleted as theirs was."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(
            f"{path!r} {what}, and documents were in it; restore it from a backup, or move the whole data folder away "
            "and import again: nothing was changed"
        )


class PortInUse(CommandError):
    """Something else listens where the API should."""

    def __init__(self, host: str, port: int, why: str, holder: str | None) -> None:
        self.host, self.port, self.why, self.holder = host, port, why, holder
        whose = f" by {holder}" if holder else ""
        super().__init__(
            f"cannot listen on {host} port {port}: {why}{whose}; set RAG_API_PORT to another port, or to 0 for any "
            "free one"
        )


class AddressUnusable(CommandError):
    """The API cannot listen at an address that is none of this machine's, or not this user's to take."""

    def __init__(self, host: str, port: int, why: str) -> None:
        self.host, self.port, self.why = host, port, why
        super().__init__(
            f"cannot listen on {host} port {port}: {why}; set RAG_API_HOST to an address of this machine (127.0.0.1 "
            "for itself alone, 0.0.0.0 for its network) and RAG_API_PORT to a port above 1023"
        )


class SystemUnreachable(CommandError):
    """The system that should answer does not."""

    def __init__(self, url: str, why: str) -> None:
        self.url, self.why = url, why
        super().__init__(f"{url} does not answer ({why}); is `twin up` running there, and does TWIN_URL point at it?")


class NotLLMTwin(CommandError):
    """Something answers, in words that are not ours."""

    def __init__(self, url: str, said: str) -> None:
        self.url, self.said = url, said
        super().__init__(
            f"{url} does not answer as LLM Twin does, but {said!r}; does TWIN_URL point at one, of this release?"
        )


class KeyMissing(CommandError):
    """TWIN_URL without TWIN_API_KEY."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"TWIN_URL is {url!r}, but TWIN_API_KEY is not set; set it to a key of that system")


class Refused(CommandError):
    """The system answered with an error."""

    def __init__(self, what: str, status: int, detail: str) -> None:
        self.what, self.status, self.detail = what, status, detail
        super().__init__(f"{what} was refused ({status}): {detail}")


class OutlineUnreadable(CommandError):
    """The file of `twin draft --outline` gives no outline."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path!r} is no outline: {why}; write one point a line, in UTF-8, at most 50")


class InputUnreadable(CommandError):
    """A file that `twin import` was given is nothing it can read."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path!r} cannot be imported: {why}")
