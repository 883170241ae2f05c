"""What a client survives whose link to the API fails: what was acknowledged to it is there, the rest at most once."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.ledger import Ledger
from benchmarks.load import Load
from benchmarks.processes import Services
from benchmarks.spawn import throughout
from benchmarks.system import running_system
from benchmarks.targets import HttpTarget
from faults.conftest import Durations, Seen
from faults.proxy import Proxy
from faults.table import BESIDE_THE_LIST, fault

FEW = 20


@pytest.mark.timeout(600)
@fault(
    BESIDE_THE_LIST,
    "a client's link to the API slow, cut, reset and refused, while it writes",
    expected="every acknowledged write is there, nothing else is",
)
def test_a_failing_link_loses_nothing_that_was_acknowledged(tmp_path: Path, seen: Seen, durations: Durations) -> None:
    with (
        running_system(EMBEDDING_MODEL="hashing") as system,
        Services(system.data, Ledger(tmp_path / "ledger")) as services,
    ):
        host, port = urlsplit(system.url).hostname, urlsplit(system.url).port
        assert host is not None
        assert port is not None
        with (
            Proxy((host, port)) as proxy,
            httpx.Client(
                base_url=f"http://127.0.0.1:{proxy.port}",
                headers={"Authorization": f"Bearer {system.key}"},
                timeout=1.0,
                trust_env=False,
            ) as client,
        ):
            load = Load(16, HttpTarget(client), services.ledger, documents=600)
            with load.running():
                load.wait_for(FEW)
                for rate, latency in ((100_000, 0.0), (None, 0.05)):
                    proxy.rate, proxy.latency = rate, latency
                    load.wait_for(FEW)
                proxy.rate, proxy.latency = None, 0.0
                for _ in range(int(durations(ci=2, full=20))):
                    proxy.cut()
                    throughout(durations(ci=1.5, full=20), lambda: True)
                    proxy.mend()
                    load.wait_for(FEW)
                    proxy.reset()
                    load.wait_for(FEW)
                    proxy.refuse()
                    proxy.reset()
                    throughout(0.5, lambda: True)
                    proxy.accept()
                    load.wait_for(FEW)
        services.wait_until_quiet()
        assert system.stop() == 0

        verdict = services.verdict()

        seen(f"{load.written} writes, {services.ledger.uncertain()} never answered: {verdict}")
        assert verdict.exact
        assert services.ledger.uncertain() > 0
