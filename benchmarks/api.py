"""What a chat call costs beside the language model, at 20,000 chunks, and a hundred streams at once on one process.

The model is a stub that says thirty words at once, in a process of its own; what it takes by itself stands beside. A
call holds the key's check, the question's embedding, hybrid search with the record check, the prompt with its budget,
the stub's reply event by event, the check of its citations, and the answer.
"""

import asyncio
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.api_server import CHUNKS, vocabulary
from benchmarks.report import Row, report

ROOT = Path(__file__).parents[1]
STUB = ROOT / "tests" / "fakes" / "openai_server.py"
CALLS = 300
STREAMS = 100
GOAL_MS = 80.0
START_SECONDS = 120.0
KEY = "benchmark"


@dataclass(frozen=True)
class Streamed:
    """How a stream went."""

    first_ms: float
    """Until the first event."""
    whole_ms: float
    ended_well: bool


def question(chance: random.Random, words: list[str]) -> str:
    """Return a question of eight words of the texts."""
    return f"What about {' '.join(chance.choices(words, k=8))}?"


def chat_ms(client: httpx.Client, url: str, model: str, asked: str) -> float:
    """Return how long one call in one piece takes."""
    began = time.perf_counter()
    body = {"model": model, "messages": [{"role": "user", "content": asked}]}
    client.post(f"{url}/chat/completions", json=body).raise_for_status()
    return (time.perf_counter() - began) * 1000


async def streamed(client: httpx.AsyncClient, url: str, asked: str) -> Streamed:
    """Read one stream to its end."""
    body = {"model": "twin", "messages": [{"role": "user", "content": asked}], "stream": True}
    began = time.perf_counter()
    first, lines = 0.0, []
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            first = first or time.perf_counter() - began
            lines += [line] if line else []
    whole = time.perf_counter() - began
    answered = lines[-1] == "data: [DONE]" and '"answered_by":"stub"' in lines[-3]
    return Streamed(first * 1000, whole * 1000, answered)


async def at_once(url: str, questions: list[str]) -> list[Streamed]:
    """Read as many streams as there are questions, all at the same time."""
    limits = httpx.Limits(max_connections=len(questions))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60, trust_env=False) as client:
        return await asyncio.gather(*(streamed(client, url, asked) for asked in questions))


@contextmanager
def running(*command: str, url: str) -> Iterator[None]:
    """Keep a server of ours running until the block ends, and wait until it answers."""
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    message = f"{command} did not start"
                    raise RuntimeError(message)
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _percentile(figures: list[float], percent: int) -> float:
    return statistics.quantiles(figures, n=100, method="inclusive")[percent - 1]


def _rows(alone: list[float], through: list[float], streams: list[Streamed]) -> list[Row]:
    stub, p95 = _percentile(alone, 95), _percentile(through, 95)
    failed = sum(not one.ended_well for one in streams)
    name = f"chat call at {CHUNKS:,} chunks"
    return [
        Row("the stub by itself, p95", stub, "ms"),
        Row(f"{name}, p50", _percentile(through, 50), "ms"),
        Row(f"{name}, p95", p95, "ms", "the stub by itself, p95", p95 / stub, f"<= {GOAL_MS:g}", p95 <= GOAL_MS),
        Row(f"{len(streams)} streams at once: failed", failed, "streams", goal="0", met=failed == 0),
        Row(f"{len(streams)} streams at once: first event, p95", _percentile([s.first_ms for s in streams], 95), "ms"),
        Row(f"{len(streams)} streams at once: whole answer, p95", _percentile([s.whole_ms for s in streams], 95), "ms"),
    ]


def main() -> int:
    """Measure, print and write the result."""
    words, chance = vocabulary(), random.Random(2)  # noqa: S311 - not for secrets
    questions = [question(chance, words) for _ in range(CALLS)]
    stub_port, api_port = _free_port(), _free_port()
    stub, api = f"http://127.0.0.1:{stub_port}/v1", f"http://127.0.0.1:{api_port}"
    with (
        tempfile.TemporaryDirectory(prefix="twin-") as folder,
        running(str(STUB), str(stub_port), url=f"{stub}/models"),
        running("-m", "benchmarks.api_server", folder, KEY, stub, str(api_port), url=f"{api}/healthz"),
        httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False) as client,
    ):
        for asked in questions[:20]:  # first calls load what later ones have
            chat_ms(client, f"{api}/v1", "twin", asked)
        alone = [chat_ms(client, stub, "stub", asked) for asked in questions]
        through = [chat_ms(client, f"{api}/v1", "twin", asked) for asked in questions]
        streams = asyncio.run(at_once(f"{api}/v1", questions[:STREAMS]))
    report("api", _rows(alone, through, streams))
    return 0


if __name__ == "__main__":
    sys.exit(main())
