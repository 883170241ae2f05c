"""Errors of the feature stream."""

from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_platform.errors import PermanentError, PlatformError, TransientError


class HandlersMissing(PermanentError):
    """The registry has a gap, so the service refuses to start."""

    def __init__(self, missing: tuple[tuple[DocumentType, Stage], ...]) -> None:
        self.missing = missing
        pairs = ", ".join(f"({document_type}, {stage})" for document_type, stage in missing)
        super().__init__(f"no handler is registered for {pairs}; add one to the table in build_registry")


class HandTaken(TransientError):
    """Another process wrote what this flow has in hand: it took this one for dead and does its work."""

    def __init__(self, flow: str) -> None:
        self.flow = flow
        super().__init__(f"another process took over what flow {flow} had in hand; this one stops and waits its turn")


class Failure:
    """First error of a running flow; it ends the flow at the source's next poll, before anything is acknowledged.

    Raised inside an operator, an error would unwind through the runner's own threads and print their panic; so the
    operators hand it over here and the flow ends like one whose input has ended.
    """

    def __init__(self) -> None:
        self.error: PlatformError | None = None

    def hand_over(self, error: PlatformError) -> None:
        """Keep the first error."""
        self.error = self.error or error


def blames_document(error: BaseException) -> bool:
    """Return whether an error of a handler is its document's: then that one is parked, and nothing else.

    The machine's trouble (no memory, a disk, a library that is missing, a stop) is not: it comes again.
    """
    if isinstance(error, TransientError | MemoryError | OSError | ImportError):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"  # Rust's; cannot be imported
