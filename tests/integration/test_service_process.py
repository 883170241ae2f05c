"""Services as processes of their own: how they start, stop, refuse and fail; a killed test leaves none behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.processes import ROOT, Process, Services
from benchmarks.spawn import wait_until
from benchmarks.targets import StoreTarget
from twin_contracts.events import Version
from twin_contracts.http import Readiness
from twin_contracts.queues import Lane
from twin_platform.documents.mongo_feed import time_of
from twin_platform.records.positions import POSITIONS, SOURCE
from twin_platform.service import REFUSED

PROGRAM = """
import sys, threading
from contextlib import contextmanager
from twin_platform import service
from twin_platform.errors import PermanentError, TransientError
from twin_platform.telemetry.logs import JsonLogger
from pydantic import BaseModel

class Nothing(BaseModel):
    pass

class Works:
    def run(self, stop):
        stop.wait()
        print("put away", flush=True)

class {name}:
    def run(self, stop):
        {body}

starts = 0

@contextmanager
def opened(settings, stop):
    global starts
    starts += 1
    print("opened", starts, flush=True)
    yield Works(), {name}()
    print("closed", flush=True)

service.FIRST_BACKOFF, service.STOP_SECONDS = 0.01, 0.5
sys.exit(service.run_process(Nothing, opened, JsonLogger("test")))
"""

WATCHED = """
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from twin_platform import service
from twin_platform.errors import TransientError
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.prometheus import PrometheusMetrics
from twin_platform.telemetry.server import Listening

there, broken = Path(sys.argv[1], "there"), Path(sys.argv[1], "broken")

class Settings(Listening):
    port: int | None = 0

class Works:
    status = SimpleNamespace(state="running", detail=None)

    def run(self, stop):
        while not stop.wait(0.01):
            if broken.exists():
                raise TransientError("it broke")

@contextmanager
def opened(settings, stop):
    if broken.exists() or not there.exists():
        raise TransientError("the store is away")
    yield (Works(),)

service.FIRST_BACKOFF = service.LAST_BACKOFF = 0.01
sys.exit(service.run_process(Settings, opened, JsonLogger("test"), PrometheusMetrics([])))
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path, Ledger()) as services:
        yield services


def made(services: Services, name: str, body: str) -> Process:
    """Return a process of two services, of which the second does something unusual."""
    return services.process(name, "-c", PROGRAM.format(name=name, body=body))


def wait_to_hear(process: Process, words: str) -> None:
    wait_until(lambda: words in process.said or not process.alive, 30, lambda: process.said)
    assert process.alive, process.said


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_cdc_and_the_flow_cleanly_and_writes_the_position(services: Services, name: str) -> None:
    Load(1, StoreTarget(services.documents), services.ledger).run(100)
    cdc, flow = services.start_cdc(), services.start_flow()
    flow.wait_for_state("running")
    wait_until(lambda: services.log.waiting() > 0, 30, lambda: cdc.said)

    for process in (cdc, flow):
        os.kill(process.pid, getattr(signal, name))

    assert (cdc.wait(10), flow.wait(10)) == (0, 0)
    assert (cdc.state, flow.state) == ("stopped", "stopped")
    assert services.records.get(POSITIONS, SOURCE) is not None
    cdc.start()
    flow.start()
    services.wait_until_quiet()
    assert services.verdict().exact


@pytest.mark.parametrize("store", ["sqlite", "mongodb"])
def test_a_signal_lets_what_is_under_way_arrive_and_its_position_be_written(services: Services, store: str) -> None:
    """The log confirms half a second late: a stop that did not wait would leave the position before all of it."""
    documents = 50
    cdc = services.process("late", "-m", "integration.late_cdc", store, str(documents)).start()
    wait_to_hear(cdc, '"event": "written"')
    end = next(line for line in cdc.events() if line["event"] == "written")
    wait_until(lambda: services.published(Lane.LIVE).total() == documents, 30, lambda: cdc.said)

    assert cdc.terminate() == 0

    assert cdc.state == "stopped"
    written = services.records.get(POSITIONS, SOURCE)
    assert written is not None
    if store == "sqlite":
        assert services.documents.captured(written.record.token)
    else:
        assert time_of(written.record.token) >= Version(seconds=int(end["seconds"]), increment=int(end["increment"]))


def url_of(process: Process) -> str:
    """Return where it tells how it is, once it does."""
    wait_to_hear(process, '"event": "health"')
    return next(line["url"] for line in process.events() if line["event"] == "health")


def readiness(url: str) -> tuple[int, list[tuple[str, str, str | None]]]:
    """Return what a probe sees: the status, and each component's name, state and reason."""
    answer = httpx.get(f"{url}/readyz", trust_env=False)
    told = Readiness.model_validate_json(answer.content)
    assert told.ready == answer.is_success
    return answer.status_code, [(one.name, one.state, one.detail) for one in told.components]


def test_cdc_and_the_flow_tell_how_they_are_where_they_have_a_port(services: Services) -> None:
    Load(1, StoreTarget(services.documents), services.ledger).run(20)
    cdc = url_of(services.start_cdc(CDC_PORT="0"))
    flow = url_of(services.start_flow(FEATURE_STREAM_PORT="0"))
    wait_until(lambda: readiness(cdc) == (200, [("Relay", "ready", None)]), 30, lambda: str(readiness(cdc)))
    both = [("FeatureStream", "ready", None), ("Housekeeper", "ready", None)]
    wait_until(lambda: readiness(flow) == (200, both), 30, lambda: str(readiness(flow)))
    services.wait_until_quiet()

    told = httpx.get(f"{cdc}/metrics", trust_env=False).text + httpx.get(f"{flow}/metrics", trust_env=False).text

    assert re.search(r'^twin_cdc_documents_published_total{lane="refill"} [1-9]', told, re.MULTILINE)
    assert re.search(r'^twin_flow_documents_committed_total{outcome="indexed"} [1-9]', told, re.MULTILINE)
    assert 'twin_cdc_unconfirmed_events{window="feed"} 0.0' in told
    assert 'twin_flow_unacknowledged_events{place="handed_out"} 0.0' in told
    assert 'twin_component_state{component="Relay"} 2.0' in told
    assert "twin_cdc_oplog_headroom_seconds" not in told
    assert httpx.get(f"{cdc}/healthz", trust_env=False).json() == {"status": "alive"}
    assert httpx.get(f"{cdc}/other", trust_env=False).status_code == 404


def test_a_port_that_is_taken_ends_the_process_and_names_the_setting(services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = services.start_cdc(CDC_PORT=str(taken.getsockname()[1]))

        assert refused.wait(30) == REFUSED
    assert "set CDC_PORT to a free port" in refused.said
    assert "section 'A setting is wrong'" in refused.said


def test_a_process_answers_while_its_stores_are_away_and_tells_late_from_dead(services: Services) -> None:
    process = services.process("watched", "-c", WATCHED, str(services.folder)).start()
    url = url_of(process)

    def becomes(status: int, *told: str | None) -> None:
        wait_until(lambda: readiness(url) == (status, [told]), 30, lambda: f"{readiness(url)}\n{process.said}")

    becomes(503, "process", "starting", "the store is away")
    (services.folder / "there").touch()
    becomes(200, "Works", "ready", None)
    (services.folder / "broken").touch()
    becomes(200, "process", "degraded", "the store is away")
    (services.folder / "broken").unlink()
    becomes(200, "Works", "ready", None)

    assert process.terminate() == 0


def crawler(services: Services, name: str, port: int) -> Process:
    stores = {f"CRAWLER_{store.upper()}_URL": services.url(store) for store in ("documents", "records")}
    return services.process(
        name, "-m", "twin_crawler", **stores, CRAWLER_KEY="a key of the crawler's own", CRAWLER_PORT=str(port)
    ).start()


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    except httpx.ConnectError:
        return False


def test_a_crawler_serves_until_a_signal_and_refuses_a_port_in_use(services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = crawler(services, "refused", taken.getsockname()[1])
        assert refused.wait(30) == REFUSED
        assert "Address already in use; end what listens there" in refused.said
        port = taken.getsockname()[1]
    serving = crawler(services, "serving", port).wait_for_state("running")
    wait_until(lambda: is_ready(port), 30, lambda: serving.said)

    assert serving.terminate() == 0
    assert serving.state == "stopped"


@pytest.mark.parametrize(
    ("module", "settings", "told"),
    [
        ("twin_cdc", {"CDC_LOG_URL": ""}, "CDC_LOG_URL"),
        ("twin_cdc", {"CDC_DOCUMENTS_URL": "mysql://here"}, "sqlite://"),
        ("twin_feature_stream", {"FEATURE_STREAM_FEATURES_URL": ""}, "FEATURE_STREAM_FEATURES_URL"),
        ("twin_feature_stream", {"FLOW_COUNT": "many"}, "FLOW_COUNT"),
        ("twin_feature_stream", {"FLOW_INDEX": "2", "FLOW_COUNT": "2"}, "FLOW_INDEX 2 is none of FLOW_COUNT 2"),
    ],
)
def test_a_wrong_setting_is_told_by_name_and_nothing_starts(
    services: Services, module: str, settings: dict[str, str], told: str
) -> None:
    process = services.process("refused", "-m", module, **settings).start()

    assert process.wait(30) == REFUSED
    assert told in process.said
    assert "Traceback" not in process.said


def test_a_second_flow_waits_until_the_first_has_left_the_vectors(services: Services) -> None:
    services.start_cdc()
    first = services.start_flow("first").wait_for_state("running")
    second = services.start_flow("second")
    wait_to_hear(second, "open in another process")

    first.kill()

    second.wait_for_state("running")
    Load(1, StoreTarget(services.documents), services.ledger).run(20)
    services.wait_until_quiet()
    assert services.verdict().exact


def test_a_bug_ends_every_service_and_the_process_with_its_traceback(services: Services) -> None:
    process = made(services, "Buggy", "1 / 0").start()

    assert process.wait(30) == 1
    assert "ZeroDivisionError" in process.said
    assert "in run\n" in process.said
    assert "section 'A process crashes'" in process.said
    assert "put away" in process.said


def test_a_store_that_is_away_is_waited_for_and_everything_is_opened_anew(services: Services) -> None:
    process = made(services, "Away", "starts > 2 and stop.wait()\n        raise TransientError('away')").start()

    wait_to_hear(process, "opened 3")

    assert process.terminate() == 0
    assert [event["why"] for event in process.events()] == ["away", "away"]


def test_a_mistake_that_stays_one_is_told_without_a_traceback(services: Services) -> None:
    process = made(services, "Wrong", "raise PermanentError('move it away')").start()

    assert process.wait(30) == REFUSED
    assert "move it away\n" in process.said
    assert "section 'A service stops by itself'" in process.said
    assert "Traceback" not in process.said


def test_a_service_that_does_not_stop_is_left_behind(services: Services) -> None:
    process = made(services, "Deaf", "threading.Event().wait()").start()
    wait_to_hear(process, "opened 1")

    assert process.terminate() == 1
    assert [(event["event"], event["service"]) for event in process.events()] == [("service_did_not_stop", "Deaf")]
    assert "closed" not in process.said


def test_a_killed_test_run_leaves_no_process_behind(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from benchmarks.ledger import Ledger; "
        "from benchmarks.processes import Services; s = Services(Path(sys.argv[1]), Ledger()); "
        "c = s.start_cdc().wait_for_state('active'); c.stop_signal(); print(c.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        cdc = psutil.Process(int(run.stdout.readline()))
        assert cdc.is_running()

        run.kill()

    wait_until(lambda: not cdc.is_running() or cdc.status() == psutil.STATUS_ZOMBIE, 10, lambda: str(cdc))
