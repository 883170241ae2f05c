"""Errors of the feature store."""

from twin_platform.errors import PermanentError, TransientError


class FeaturesUnavailable(TransientError):
    """The vector store did not answer or could not write; nothing was promised."""

    def __init__(self, why: str, tried: str = "answer") -> None:
        self.why, self.tried = why, tried
        super().__init__(f"the vector store could not {tried}: {why}; what was not flushed is applied again")


class CollectionMissing(FeaturesUnavailable):
    """The server knows no such collection: nobody has made it yet, or somebody has removed it."""

    def __init__(self, why: str, tried: str) -> None:
        super().__init__(f"{why}, so no flow with this embedding model has filled it, or one with another has", tried)


class PointRefused(PermanentError):
    """The vector store refuses something that it was to write, and would again; of the rest, any part is written."""

    runbook = "A server refuses"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the vector store refuses to write this: {why}")


class FeaturesUnreadable(PermanentError):
    """The folder holds something that this engine cannot open."""

    runbook = "A database that cannot be opened"

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"the vectors in {path!r} cannot be read: {why}; "
            "move the folder away, they are rebuilt from the documents at the next start"
        )


class FeaturesUnfit(PermanentError):
    """A server, or something on it, that will not do."""

    runbook = "A server cannot do what is needed"


class FeaturesRefused(PermanentError):
    """The server understood a request and refuses it, and would again."""

    runbook = "A server refuses"

    def __init__(self, tried: str, why: str, status: int) -> None:
        self.tried, self.why, self.status = tried, why, status
        super().__init__(
            f"the vector store refuses to {tried}: {why}; "
            "where it is about rights, the URL needs the server's key: https://:<key>@host:6333"
        )


class VectorsUrlUnreadable(PermanentError):
    """A URL that is no server's address; never quotes it, since it may hold a key."""

    runbook = "A setting is wrong"

    def __init__(self) -> None:
        super().__init__(
            "the vector store's URL cannot be read; it looks like http://host:6333 or https://:<key>@host:6333, "
            "with %2F for a / in the key"
        )
