"""Errors of the command and the launcher; a person reads them, so each says what to do."""

from twin_platform.errors import PermanentError


class CommandError(PermanentError):
    """Base of what the command says before it exits with a non-zero status."""


class FolderTaken(CommandError):
    """Another process owns the data folder."""

    def __init__(self, folder: str, owner: str) -> None:
        self.folder, self.owner = folder, owner
        super().__init__(
            f"the data folder {folder!r} is in use by {owner}; stop that one, or set TWIN_DATA to another folder"
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


class FolderUnusable(CommandError):
    """The data folder cannot be written."""

    def __init__(self, folder: str, why: str) -> None:
        self.folder, self.why = folder, why
        super().__init__(
            f"the data folder {folder!r} cannot be used: {why}; free space or permissions, or set TWIN_DATA elsewhere"
        )


class PortInUse(CommandError):
    """Something else listens where the API should."""

    def __init__(self, host: str, port: int, why: str) -> None:
        self.host, self.port, self.why = host, port, why
        super().__init__(
            f"cannot listen on {host} port {port}: {why}; set RAG_API_PORT to another port, or to 0 for any free one"
        )


class SystemUnreachable(CommandError):
    """The system that should answer does not."""

    def __init__(self, url: str, why: str) -> None:
        self.url, self.why = url, why
        super().__init__(f"{url} does not answer ({why}); is `twin up` running there, and does TWIN_URL point at it?")


class NotLLMTwin(CommandError):
    """Something answers, in words that are not ours."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"{url} does not answer as LLM Twin does; does TWIN_URL point at one, of this release?")


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
