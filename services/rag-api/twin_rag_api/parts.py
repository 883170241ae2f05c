"""What the API is made of: stores that are open, and what the process around it knows."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from twin_contracts.documents import AuthorRef
from twin_contracts.http import ComponentStatus
from twin_platform.documents.port import DocumentStore
from twin_platform.embedding.port import Embedder
from twin_platform.features.news import Listener
from twin_platform.features.port import FeatureStore
from twin_platform.log.port import EventLog
from twin_platform.reading.port import Reader
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.health import STATES, figures_of
from twin_platform.telemetry.metrics import Exposed
from twin_platform.telemetry.prometheus import PrometheusMetrics
from twin_rag_api.metrics import METRICS
from twin_rag_api.ports import LanguageModel


@dataclass(frozen=True)
class Parts:
    """Handed over by whoever runs the API; it opens and closes none of them."""

    documents: DocumentStore
    records: RecordStore
    features: FeatureStore
    embedder: Embedder
    reader: Reader
    log: EventLog
    clock: Clock
    default_author: Callable[[], AuthorRef]
    """The installation's owner, asked anew for each document that names no author."""
    components: Callable[[], tuple[ComponentStatus, ...]]
    """The state of every service, of the process or beside it."""
    captured: Callable[[], bool]
    """Whether cdc has published everything that the document store has committed."""
    listen: Callable[[], AbstractContextManager[Listener]]
    """Lets hear what becomes of documents."""
    seconds_to_searchable: Callable[[], float | None]
    """Commit to searchable of the last live change; None before the first."""
    chunks_embedded: Callable[[], int] = int
    """How many chunks got a new vector since the flow's process started."""
    unacknowledged: Callable[[], int] = int
    """How many events flows have fetched, where the log itself does not count them."""
    model: LanguageModel | None = None
    """Writes answers and drafts; None where none is configured."""
    metrics: Exposed = field(default_factory=lambda: PrometheusMetrics(METRICS))
    """What `/metrics` shows: the API's own list is in it."""

    def __post_init__(self) -> None:
        """Have the components' states read here."""
        self.metrics.show(STATES, lambda: figures_of(self.components()))
