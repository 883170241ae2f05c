"""Growing by processes: one, two and four flows over RabbitMQ and one vector store, each waiting 20 ms per document.

The wait stands for the model: it is what a flow does one document after the other, and what more processes share. The
vectors are on the tests' stand-in for a Qdrant server, so that what is measured is the flows and not their store.

Every partition gets as many documents: a run ends with the last flow, and of 2,000 documents as their ids fall one flow
of four had 550, so that the other three stood by for the last tenth. In a long backlog the shares differ by less.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.broker import Broker, broker
from benchmarks.generated import post
from benchmarks.ledger import Ledger
from benchmarks.published import publish
from benchmarks.report import Row, report
from benchmarks.served import ServedServices
from twin_contracts.documents import RawPost
from twin_contracts.queues import DEFAULT_PARTITIONS, partition_of
from twin_contracts.records import RecordStatus
from twin_platform.features.open import read_feature_store

DOCUMENTS = 2000
CHARACTERS = 1000
MILLISECONDS = 20
FLOWS = (1, 2, 4)
GOAL = 3.5
LOOK_SECONDS = 0.2
"""Between two counts, which take the vector store's time."""


def shared_equally(posts: Iterator[RawPost], documents: int) -> Iterator[RawPost]:
    """Yield so many of the posts, every partition's share the same; what a full partition would get is left out."""
    taken = Counter[int]()
    while taken.total() < documents:
        document = next(posts)
        partition = partition_of(document.id, DEFAULT_PARTITIONS)
        if taken[partition] < documents // DEFAULT_PARTITIONS:
            taken[partition] += 1
            yield document


def rate(started: Broker, flows: int) -> float:
    """Return how many documents a second so many flow processes index from a backlog."""
    with (
        TemporaryDirectory(prefix="twin-scale-") as folder,
        ServedServices(Path(folder), Ledger(), broker=started) as services,
        read_feature_store(services.url("features"), services.embedder.spec) as features,
    ):

        def index(documents: list[RawPost], indexed: int) -> None:
            publish(services.log, documents)
            while features.count_records(RecordStatus.INDEXED) < indexed:
                for process in services.processes:
                    process.raise_failure()
                time.sleep(LOOK_SECONDS)

        posts = (post(number, CHARACTERS) for number in count())
        warm, backlog = (list(shared_equally(posts, documents)) for documents in (DOCUMENTS // 10, DOCUMENTS))
        services.log.declare()
        for number in range(flows):
            environment = {"FLOW_INDEX": str(number), "FLOW_COUNT": str(flows)}
            arguments = ("-m", "benchmarks.waiting_flow", str(MILLISECONDS))
            services.process(f"flow-{number}", *arguments, **environment).start()
        for process in services.processes:
            process.wait_for_state("running")
        index(warm, len(warm))
        began = time.perf_counter()
        index(backlog, len(warm) + DOCUMENTS)
        return DOCUMENTS / (time.perf_counter() - began)


def main() -> int:
    """Measure each number of flows and report."""
    with broker() as started:
        rates = {flows: rate(started, flows) for flows in FLOWS}
    limit, one = 1000 / MILLISECONDS, rates[1]
    rows = [
        Row("the handler alone, by its wait", limit, "documents/s"),
        Row("1 flow process", one, "documents/s", "the handler alone, by its wait", one / limit),
    ]
    for flows, reached in rates.items():
        if flows > 1:
            goal, met = (f">= {GOAL:g} times", reached >= GOAL * one) if flows == max(FLOWS) else (None, None)
            rows.append(
                Row(f"{flows} flow processes", reached, "documents/s", "1 flow process", reached / one, goal, met)
            )
    report("scale", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
