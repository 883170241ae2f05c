"""A backlog on a broker, whose reader gets far more than it can embed at once: acknowledged bit by bit all the same."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.backlog_rows import Sizes, memory_rows
from benchmarks.broker import broker
from benchmarks.generated import article
from benchmarks.ledger import Ledger
from benchmarks.memory import watched
from benchmarks.published import publish
from benchmarks.report import Row
from benchmarks.served import RabbitmqServices
from twin_contracts.embedding import EmbeddingModel

SILENT_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""Between two questions to the broker, each of which is a program that takes a second."""


def broker_articles(sizes: Sizes) -> list[Row]:
    """Have one flow process with the real embedder work off articles from RabbitMQ into Edge."""
    with (
        broker() as started,
        TemporaryDirectory(prefix="twin-broker-backlog-") as folder,
        RabbitmqServices(Path(folder), Ledger(), broker=started) as services,
    ):
        services.log.declare()
        publish(services.log, (article(number, sizes.article_bytes) for number in range(sizes.articles)))
        flow = services.start_flow(EMBEDDING_MODEL=EmbeddingModel.MINILM.value)
        flow.wait_for_state("running")
        began = time.monotonic()
        with watched(flow.pid) as memory:
            silences = silences_of(services)
        seconds = time.monotonic() - began
        services.stop()
    name, longest = f"{sizes.articles:,} articles on a broker", max(silences)
    met = longest <= SILENT_SECONDS
    return [
        *memory_rows(name, memory),
        Row(f"{name}: worked off", sizes.articles / seconds, "documents/s"),
        Row(f"{name}: until the first acknowledgement", silences[0], "s"),
        Row(f"{name}: longest time without one", longest, "s", goal=f"<= {SILENT_SECONDS:g}", met=met),
    ]


def silences_of(services: RabbitmqServices) -> list[float]:
    """Ask the broker what it holds until that is nothing; return the seconds between two times that it was less."""
    held, since = services.log_tap.waiting(), time.monotonic()
    silences: list[float] = []
    while held:
        time.sleep(LOOK_SECONDS)
        for process in services.processes:
            process.raise_failure()
        waiting, now = services.log_tap.waiting(), time.monotonic()
        if waiting < held:
            silences.append(now - since)
            held, since = waiting, now
    return silences
