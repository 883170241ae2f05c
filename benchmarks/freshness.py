"""Commit to searchable for a short post: while idle, and during a re-emission of everything.

From the moment the API has answered 202, which it does after the store's commit, to the moment a search returns the
post; so the figure holds capture, log, flow, embedding, both snapshots' commit and the polls of the search itself.
"""

import statistics
import sys
import time
import uuid

import httpx

from benchmarks.report import Row, report
from benchmarks.system import running_system
from benchmarks.texts import import_texts
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.records.reemissions import ask_reemission
from twin_platform.telemetry.clock import SystemClock

POSTS = 100
GIVE_UP_SECONDS = 60.0
IDLE_P50, IDLE_P95, REFILL_P95 = 0.3, 0.6, 2.0
WORDS = ("heron", "granite", "lantern", "barley", "harbour", "copper", "meadow", "thistle")


def new_word(number: int) -> str:
    """Return a word that no text has yet."""
    return f"{WORDS[number % len(WORDS)]}{uuid.uuid4().hex[:12]}"


def put_post(client: httpx.Client, word: str) -> None:
    """Store a post that has the word, under an id that has it, too."""
    body = {
        "type": "post",
        "text": f"Today I saw a {word} near the old mill, and wrote it down at once.",
        "platform": "bench",
    }
    client.put(f"/v1/documents/{client_id(word)}", json=body).raise_for_status()


def client_id(word: str) -> str:
    """Return the id of the post that has the word."""
    return f"bench-{word}"


def is_searchable(client: httpx.Client, word: str) -> bool:
    """Return whether a search finds the post that has the word."""
    request = {"query": f"{word} near the old mill", "limit": 3}
    found = client.post("/v1/search", json=request).raise_for_status().json()
    return any(word in hit["text"] for hit in found["hits"])


def seconds_to_searchable(client: httpx.Client, word: str) -> float:
    """Store one post with a word of its own and return the seconds until a search finds it."""
    put_post(client, word)
    committed = time.monotonic()
    while time.monotonic() - committed < GIVE_UP_SECONDS:
        if is_searchable(client, word):
            return time.monotonic() - committed
    message = f"{word} was not searchable within {GIVE_UP_SECONDS:g} s"
    raise TimeoutError(message)


def wait_until_quiet(client: httpx.Client) -> None:
    """Wait until nothing is captured, logged or re-emitted any more."""
    while not _is_quiet(client):
        time.sleep(0.1)


def during_resync(client: httpx.Client, records: RecordStore) -> list[float]:
    """Measure posts while one re-emission of everything follows the other."""
    figures: list[float] = []
    for number in range(POSTS):
        if not client.get("/v1/status").raise_for_status().json()["reemissions"]:
            ask_reemission(records, SystemClock(), "benchmark")
        figures.append(seconds_to_searchable(client, new_word(number)))
    return figures


def _is_quiet(client: httpx.Client) -> bool:
    status = client.get("/v1/status").raise_for_status().json()
    return bool(status["captured"] and not status["waiting"] and not status["reemissions"])


def _rows(name: str, figures: list[float], goals: dict[int, float]) -> list[Row]:
    cuts = statistics.quantiles(figures, n=100, method="inclusive")
    return [
        Row(
            f"commit to searchable {name}, p{percent}",
            cuts[percent - 1] * 1000,
            "ms",
            goal=f"<= {goals[percent] * 1000:g}",
            met=cuts[percent - 1] <= goals[percent],
        )
        for percent in goals
    ]


def main() -> int:
    """Measure, print and write the result."""
    with running_system() as system, system.client() as client:
        documents = import_texts(system)
        wait_until_quiet(client)
        idle = [seconds_to_searchable(client, new_word(number)) for number in range(POSTS)]
        wait_until_quiet(client)
        with open_record_store(f"sqlite://{system.data}/records.db") as records:
            refill = during_resync(client, records)
    print(f"{documents} documents in the store, {POSTS} posts each")
    rows = _rows("while idle", idle, {50: IDLE_P50, 95: IDLE_P95}) + _rows(
        "during a re-emission", refill, {95: REFILL_P95}
    )
    report("freshness", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
