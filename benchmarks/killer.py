"""What a document that kills its process costs its neighbours: how long they wait to be indexed without and beside it.

Two flows over RabbitMQ and one vector store, each started again as soon as it has died, and posts at a steady rate. A
post's delay is from its commit to when a reader finds its record. Beside the killer is what was committed between its
commit and its being parked: in its queue, in another queue of its flow, and of the other flow.
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.broken_flow import KILL, MARK
from benchmarks.broker import broker
from benchmarks.generated import post
from benchmarks.ledger import Ledger
from benchmarks.processes import Process, restarting
from benchmarks.report import Row, report
from benchmarks.served import ServedServices
from twin_contracts.base import DocumentId
from twin_contracts.queues import DEFAULT_PARTITIONS, partition_of
from twin_contracts.records import RecordStatus, Stage
from twin_platform.features.open import read_feature_store
from twin_platform.features.port import FeatureStore

FLOWS: Final = 2
RATE: Final = 20.0
"""Posts a second, of both flows together."""
CHARACTERS: Final = 1000
CALM_SECONDS: Final = 20.0
SETTLE_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.02
MOST_DEATHS: Final = 6
GOALS: Final = {"in its queue": 30.0, "in other queues of its flow": 10.0, "of the other flow": 1.0}
"""Groups of neighbours, and the longest that one of them may wait."""

_POST = post(10**6, CHARACTERS)
KILLER: Final = _POST.model_copy(update={"text": f"{_POST.text} {MARK}"})
PARTITION: Final = partition_of(KILLER.id, DEFAULT_PARTITIONS)


@dataclass
class Delays:
    """When posts were committed, and when a reader found them; each written by one thread."""

    committed: dict[DocumentId, float] = field(default_factory=dict)
    found: dict[DocumentId, float] = field(default_factory=dict)

    def look(self, features: FeatureStore) -> None:
        """Take note of what is there by now."""
        records = features.records([one for one in list(self.committed) if one not in self.found], with_text=False)
        now = time.monotonic()
        self.found |= dict.fromkeys((one for one in records if records[one].status is RecordStatus.INDEXED), now)

    def of(self, group: str, began: float, ended: float) -> list[float]:
        """Return the delays of a group's posts that were committed in this time."""
        committed = [(one, when) for one, when in self.committed.items() if began <= when < ended]
        return [self.found[one] - when for one, when in committed if group_of(one) == group]


def group_of(document_id: DocumentId) -> str:
    """Return which of the killer's neighbours this document is among."""
    own = partition_of(document_id, DEFAULT_PARTITIONS)
    same_queue, same_flow, other_flow = GOALS
    return same_queue if own == PARTITION else same_flow if own % FLOWS == PARTITION % FLOWS else other_flow


@contextmanager
def writing(services: ServedServices, delays: Delays) -> Iterator[None]:
    """Write posts at the rate, for as long as this lasts."""
    ended = threading.Event()

    def write() -> None:
        following, number = time.monotonic(), 0
        while not ended.wait(following - time.monotonic()):
            document = post(number, CHARACTERS)
            services.documents.upsert(document)
            delays.committed[document.id] = time.monotonic()
            number, following = number + 1, following + 1 / RATE

    thread = threading.Thread(target=write, name="writing")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def started_flows(services: ServedServices) -> Sequence[Process]:
    """Start cdc and the flows, and return these once they run."""
    services.start_cdc()
    deadly = ("-m", "benchmarks.broken_flow", Stage.EMBED, KILL)
    flows = [
        services.process(f"flow {index}", *deadly, FLOW_INDEX=str(index), FLOW_COUNT=str(FLOWS)).start()
        for index in range(FLOWS)
    ]
    for flow in flows:
        flow.wait_for_state("running")
    return flows


def measured(services: ServedServices) -> list[Row]:
    """Write, put the killer among it, and return what its neighbours waited."""
    flows, delays = started_flows(services), Delays()
    with read_feature_store(services.url("features"), services.embedder.spec) as features, restarting(*flows):

        def look_until(done: Callable[[], bool]) -> float:
            end = time.monotonic() + SETTLE_SECONDS
            while not done():
                if time.monotonic() > end:
                    left = len(delays.committed) - len(delays.found)
                    message = f"{left} posts are not indexed, or the killer is not parked"
                    raise TimeoutError(message)
                delays.look(features)
                time.sleep(LOOK_SECONDS)
            return time.monotonic()

        def is_parked() -> bool:
            record = features.records([KILLER.id], with_text=False).get(KILLER.id)
            return record is not None and record.status is RecordStatus.PARKED

        began = time.monotonic()
        with writing(services, delays):
            look_until(lambda: time.monotonic() - began > CALM_SECONDS)
            services.documents.upsert(KILLER)
            put = time.monotonic()
            parked = look_until(is_parked)
        look_until(lambda: len(delays.found) == len(delays.committed))
    deaths = flows[PARTITION % FLOWS].starts - 1
    goal = f"<= {MOST_DEATHS}"
    rows = [
        Row("deaths until the killer is parked", deaths, "deaths", None, None, goal, deaths <= MOST_DEATHS),
        Row("the killer's commit to its being parked", parked - put, "s"),
    ]
    for group in GOALS:
        rows += rows_of(group, delays.of(group, began, put), delays.of(group, put, parked))
    return rows


def rows_of(group: str, calm: Sequence[float], beside: Sequence[float]) -> list[Row]:
    """Return what a group's neighbours waited without the killer and beside it."""
    rows: list[Row] = []
    figures: tuple[tuple[str, Callable[[Sequence[float]], float]], ...] = (("p50", statistics.median), ("max", max))
    for name, figure in figures:
        without, alone, longest = f"{group}, without it, {name}", figure(calm), figure(beside)
        goal, met = (f"<= {GOALS[group]:g} s", longest <= GOALS[group]) if name == "max" else (None, None)
        rows.append(Row(without, alone, "s"))
        rows.append(Row(f"{group}, beside it, {name}", longest, "s", without, longest / alone, goal, met))
    return rows


def main() -> int:
    """Measure and report."""
    with (
        broker() as started,
        TemporaryDirectory(prefix="twin-killer-") as folder,
        ServedServices(Path(folder), Ledger(), broker=started) as services,
    ):
        report("killer", measured(services))
    return 0


if __name__ == "__main__":
    sys.exit(main())
