"""What the faults of a chain in one process have in common: load beside the fault, and handlers that have a fault."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.load import Load
from benchmarks.processes import Services
from benchmarks.targets import StoreTarget
from fakes.chain import Chain
from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.ports import Handler
from twin_feature_stream.registry import HandlerRegistry


@contextmanager
def opened(services: Services) -> Iterator[Chain]:
    """Open an installation's stores, to run cdc and the flow in threads of this process."""
    chain = Chain(services.folder, url=services.url, waiting=services.waiting, ledger=services.ledger)
    with chain.opened():
        yield chain


def load(chain: Chain, seed: int = 1) -> Load:
    """Return a load of documents that are none of the fault's business."""
    return Load(seed, StoreTarget(chain.documents), chain.ledger, documents=30)


def with_handler(registry: HandlerRegistry, kind: DocumentType, stage: Stage, handler: Handler) -> HandlerRegistry:
    """Return the table with one handler replaced."""
    return HandlerRegistry({**registry._table, (kind, stage): handler})
