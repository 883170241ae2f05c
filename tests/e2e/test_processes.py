"""`make up-processes`: every service a process of its own, used as a person uses the system, and stopped by Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks import broker
from benchmarks.processes import ROOT, Process
from benchmarks.spawn import Spawner, wait_until
from fakes.site import Site
from twin_platform.serving import CannotListen, listening

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(broker.program() is None and not os.environ.get("RABBITMQ_URL"), reason=broker.NONE),
]

PORTS = ("RAG_API_PORT", "CRAWLER_PORT", "CDC_PORT", "FEATURE_STREAM_PORT")
FLOWS = 2
STOP_SECONDS = 10.0
TEST_SITE = ROOT / "tests" / "site"
KNOWN = [line.split("\t") for line in (TEST_SITE / "questions.tsv").read_text("utf-8").splitlines()]
"""Of each test crawl: its kind, where it goes, a question, words of the answer."""
TIDES = "The tide gauge at Brest has been read every day since 1807."
GEARS = "Spiral bevel gears run quieter than straight ones because their teeth meet gradually."
PAGE = "".join(
    f"<p>In the year {1700 + year} the mill at Ahrensfelde ground {year * 7} sacks of rye for its bakers.</p>"
    for year in range(8)
)


@dataclass
class Up:
    """One `make up-processes`, and `twin` commands that speak to it."""

    folder: Path
    settings: dict[str, str]
    spawner: Spawner = field(default_factory=Spawner)

    def __post_init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TWIN_", "LLM_"))}
        environment["PYTHONPATH"] = str(ROOT)
        environment |= {"FOLDER": str(self.folder / "data"), "EMBEDDING_MODEL": "hashing", **self.settings}
        self.process = Process(
            "up", ("-m", "benchmarks.up_processes"), environment, self.folder / "up.log", self.spawner
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['RAG_API_PORT']}"

    @property
    def key(self) -> str:
        return (self.folder / "data" / "key").read_text().strip()

    def start(self) -> None:
        self.process.start()
        wait_until(
            lambda: "LLM Twin is up" in self.process.said or not self.process.alive, 120, lambda: self.process.said
        )
        assert self.process.alive, self.process.said

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0, trust_env=False)

    def twin(self, *words: str) -> str:
        """Run a `twin` command, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "twin_cli", *words],
            env={**os.environ, "TWIN_URL": self.url, "TWIN_API_KEY": self.key},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.process.said[-3000:]}"
        return done.stdout + done.stderr

    def make(self, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a make target of the clone against this system."""
        return subprocess.run(
            ["make", "--silent", target, *(f"{name}={value}" for name, value in variables.items())],
            env={**os.environ, "TWIN_URL": self.url, "TWIN_API_KEY": self.key},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def put(self, name: str, text: str) -> str:
        """Store a document, wait until it is indexed, and return its id."""
        with self.client() as client:
            client.put(f"/v1/documents/{name}", json={"text": text, "type": "post"}).raise_for_status()
            status = client.get(f"/v1/documents/{name}?wait=indexed&timeout=30").raise_for_status().json()
        assert status["status"] == "indexed", self.process.said[-3000:]
        return str(status["document_id"])

    def found(self, query: str) -> list[str]:
        with self.client() as client:
            hits = client.post("/v1/search", json={"query": query, "limit": 5}).raise_for_status().json()["hits"]
        return [hit["text"] for hit in hits]

    def running(self) -> list[psutil.Process]:
        """Return every process below this one."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def one(self, module: str) -> psutil.Process:
        for process in self.running():
            with suppress(psutil.Error):
                if module in process.cmdline():
                    return process
        raise AssertionError(module)

    def interrupt(self) -> int:
        """Do what Ctrl-C does."""
        os.kill(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture(scope="module")
def test_site() -> Iterator[str]:
    """Where the site of `make test-crawl-…` is served."""
    command = [sys.executable, str(TEST_SITE / "serve.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as serving:
        assert serving.stdout is not None
        try:
            yield serving.stdout.readline().strip()
        finally:
            serving.terminate()


@pytest.fixture(scope="module")
def up(site: Site, test_site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    allowed = f"{site.allow},{test_site.removeprefix('http://')}"
    up = Up(tmp_path_factory.mktemp("up"), free_ports() | {"FLOWS": str(FLOWS), "CRAWLER_ALLOW_HOSTS": allowed})
    try:
        up.start()
        yield up
    finally:
        if up.process.alive:
            up.process.kill()
        up.spawner.close()


def test_what_is_imported_is_asked_for_changed_and_deleted(up: Up) -> None:
    texts = up.folder / "texts"
    texts.mkdir()
    for name, text in (("tides", TIDES), ("gears", GEARS)):
        (texts / f"{name}.md").write_text(f"# {name}\n\n{text}\n")

    assert "2 stored, 2 indexed" in up.twin("import", str(texts))

    assert "1807" in up.twin("search", "tide gauge at Brest")
    assert TIDES in up.twin("ask", "Since when has the tide gauge at Brest been read?")
    (texts / "tides.md").write_text(f"# tides\n\n{TIDES.replace('1807', '1811')}\n")
    up.twin("import", str(texts))
    found = up.found("tide gauge at Brest")
    assert any("1811" in text for text in found)
    assert not any("1807" in text for text in found)

    with up.client() as client:
        documents = client.get("/v1/documents").raise_for_status().json()["items"]
    up.twin("forget", "--yes", next(one["document_id"] for one in documents if one["title"] == "tides"))
    wait_until(lambda: not any("1811" in text for text in up.found("tide gauge at Brest")), 30, lambda: "still there")


def test_events_tell_what_the_flows_apply(up: Up) -> None:
    told: list[tuple[str, str]] = []
    listening = threading.Event()
    enough = threading.Event()

    def listen() -> None:
        event = ""
        with up.client() as client, client.stream("GET", "/v1/events", params={"seconds": 60}) as response:
            for line in response.iter_lines():
                listening.set()
                event = line.removeprefix("event: ") if line.startswith("event: ") else event
                if line.startswith("data: "):
                    told.append((event, json.loads(line.removeprefix("data: ")).get("document_id")))
                if enough.is_set():
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert listening.wait(30)

    document = up.put("told", "A document that somebody listens for.")
    with up.client() as client:
        client.delete("/v1/documents/told").raise_for_status()

    wait_until(lambda: ("deleted", document) in told, 30, lambda: str(told))
    assert next(event for event, one in told if one == document) == "indexed"
    enough.set()


def test_a_link_is_crawled_by_the_crawlers_process(up: Up, site: Site) -> None:
    link = site.page("/mill", f"<html><head><title>Mill</title></head><body><article>{PAGE}</article></body></html>")

    printed = up.twin("crawl", link)

    assert ": stored 1" in printed
    assert any("Ahrensfelde" in text for text in up.found("sacks of rye"))


@pytest.mark.parametrize(("kind", "answer"), [(kind, answer) for kind, _, _, answer in KNOWN])
def test_a_test_crawl_shows_the_way_of_each_document_and_is_answered(
    up: Up, test_site: str, kind: str, answer: str
) -> None:
    done = up.make(f"test-crawl-{kind}", SITE=test_site)

    heading, *lines = done.stdout.splitlines()
    ways = lines[: next(number for number, line in enumerate(lines) if ": stored " in line)]
    assert done.returncode == 0, done.stderr
    assert heading.split() == ["stored", "captured", "within", "indexed", "within"]
    assert ways
    assert all(line.count(" ms ") + line.count(" s ") == 2 for line in ways), ways
    assert answer in done.stdout.partition("$ twin ask")[2]


def test_a_test_crawl_that_is_not_answered_says_what_to_do_and_fails(up: Up, test_site: str) -> None:
    done = up.make("test-crawl-folder", SITE=test_site, QUESTION="Which zebras vote in Mongolian parliaments?")

    assert done.returncode != 0
    assert "ask in words that the texts use" in done.stderr


def test_keys_are_made_where_the_system_runs_and_used_elsewhere(up: Up) -> None:
    key = next(line for line in up.twin("keys", "create", "laptop").splitlines() if line.startswith("twin_"))

    def documents() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{up.url}/v1/documents", headers=headers, trust_env=False).status_code

    before = documents()
    listed = up.twin("keys", "list")
    up.twin("keys", "revoke", "laptop")

    assert (before, documents()) == (200, 401)
    assert "laptop  valid since" in listed
    assert "owns this installation" in up.twin("author", "set", "Olga Owner")


def test_status_parked_audit_and_resync_speak_to_all_processes(up: Up) -> None:
    up.put("kept", GEARS)

    wait_until(lambda: "all changes captured" in up.twin("status"), 30, lambda: up.twin("status"))  # within a second
    status = up.twin("status")
    services = ("cdc", "crawler", "feature-stream 0", "feature-stream 1", "housekeeper", "vectors", "log", "documents")
    for name in services:
        assert f"{name}: ready" in status
    assert "freshness" in status
    assert "nothing" in up.twin("parked", "list")
    assert "all is one" in up.twin("audit")
    up.twin("resync")
    assert any(GEARS in text for text in up.found("spiral bevel gears"))


def test_each_service_tells_its_health_and_its_figures_on_a_port_of_its_own(up: Up) -> None:
    first = int(up.settings["FEATURE_STREAM_PORT"])

    for port in (up.settings["CDC_PORT"], first, first + 1, up.settings["CRAWLER_PORT"], up.settings["RAG_API_PORT"]):
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).json()["ready"], port
        assert "} 2.0" in httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text, port


@pytest.mark.parametrize("module", ["twin_cdc", "twin_rag_api"])
def test_a_process_that_dies_is_started_again_and_that_is_said(up: Up, module: str) -> None:
    name = module.removeprefix("twin_").replace("_", "-")

    dead = up.one(module)

    dead.kill()

    said = f"{name} has died (-9); starting it again"
    wait_until(lambda: said in up.process.said, 30, lambda: up.process.said[-2000:])
    wait_until(lambda: is_ready(up), 60, lambda: up.process.said[-2000:])
    up.put(f"after-{name}", TIDES)
    assert up.one(module).pid != dead.pid


def test_ctrl_c_stops_every_process_and_a_restart_has_everything(up: Up) -> None:
    up.put("lasting", "What lasts is written down before it is acknowledged.")
    key, running = up.key, up.running()

    status = up.interrupt()

    assert status == 0, up.process.said
    assert psutil.wait_procs(running, STOP_SECONDS)[1] == []
    up.start()
    assert up.key == key
    assert up.found("written down before it is acknowledged")[0].startswith("What lasts")
    with up.client() as client:
        assert client.get("/v1/documents/lasting").json()["status"] == "indexed"


def test_a_taken_port_is_one_line_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = Up(tmp_path, free_ports() | {"CDC_PORT": port})
        refused.process.start()

        assert refused.process.wait(30) == 1

    (line,) = refused.process.said.splitlines()
    assert f"port {port} is taken (Address already in use)" in line
    assert "CDC_PORT" in line
    refused.spawner.close()


def free_ports() -> dict[str, str]:
    """Return ports in a row, the last ones for the flows; below those that the system hands out by itself."""
    for first in count(20_000 + os.getpid() % 10_000):
        with suppress(CannotListen), ExitStack() as bound:
            for port in range(first, first + len(PORTS) + FLOWS):
                bound.enter_context(listening("127.0.0.1", port))
            return {name: str(first + place) for place, name in enumerate(PORTS)}
    raise AssertionError


def is_ready(up: Up) -> bool:
    try:
        answer = httpx.get(f"{up.url}/readyz", trust_env=False)
    except httpx.TransportError:
        return False
    return answer.is_success and all(one["state"] == "ready" for one in json.loads(answer.content)["components"])
