"""A service that tells of itself what a test says."""

from dataclasses import dataclass, field
from threading import Event as Flag

from twin_contracts.documents import document_id_of
from twin_contracts.live import DocumentNews
from twin_contracts.records import RecordStatus


@dataclass
class SaidStatus:
    """State and figures; a test changes them."""

    state: str = "running"
    detail: str | None = None
    seconds_to_searchable: float | None = None
    chunks_embedded: int = 0
    unacknowledged: int = 0


@dataclass
class Saying:
    """Runs until it is stopped, and says so then."""

    status: SaidStatus = field(default_factory=SaidStatus)

    def run(self, stop: Flag) -> None:
        stop.wait()
        self.status.state = "stopped"


def news(name: str) -> DocumentNews:
    """Return news of a document of this name."""
    return DocumentNews(document_id=document_id_of(name), status=RecordStatus.INDEXED, author="anna", title=name)
