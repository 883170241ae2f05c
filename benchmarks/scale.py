"""Growing by processes: one, two and four flows over RabbitMQ and one vector store, each waiting 20 ms per document.

The wait stands for the model: it is what a flow does one document after the other, and what more processes share. The
vectors are on the tests' stand-in for a Qdrant server, so that what is measured is the flows and not their store.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.broker import Broker, broker
from benchmarks.generated import post
from benchmarks.ledger import Ledger
from benchmarks.published import publish
from benchmarks.report import Row, report
from benchmarks.served import ServedServices
from twin_contracts.records import RecordStatus
from twin_platform.features.open import read_feature_store

DOCUMENTS = 2000
CHARACTERS = 1000
MILLISECONDS = 20
FLOWS = (1, 2, 4)
GOAL = 3.5
LOOK_SECONDS = 0.2
"""Between two counts, which take the vector store's time."""


def rate(started: Broker, flows: int) -> float:
    """Return how many documents a second so many flow processes index from a backlog."""
    with (
        TemporaryDirectory(prefix="twin-scale-") as folder,
        ServedServices(Path(folder), Ledger(), broker=started) as services,
        read_feature_store(services.url("features"), services.embedder.spec) as features,
    ):

        def index(numbers: range, indexed: int) -> None:
            publish(services.log, (post(number, CHARACTERS) for number in numbers))
            while features.count_records(RecordStatus.INDEXED) < indexed:
                for process in services.processes:
                    process.raise_failure()
                time.sleep(LOOK_SECONDS)

        services.log.declare()
        for number in range(flows):
            environment = {"FLOW_INDEX": str(number), "FLOW_COUNT": str(flows)}
            arguments = ("-m", "benchmarks.waiting_flow", str(MILLISECONDS))
            services.process(f"flow-{number}", *arguments, **environment).start()
        for process in services.processes:
            process.wait_for_state("running")
        warm = DOCUMENTS // 10
        index(range(warm), warm)
        began = time.perf_counter()
        index(range(warm, warm + DOCUMENTS), warm + DOCUMENTS)
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
