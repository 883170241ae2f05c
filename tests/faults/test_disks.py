"""Faults of disks: full, and failing every write."""

import resource
import time
from typing import cast

import pytest

from benchmarks.load import Load
from benchmarks.processes import Services, restarting
from benchmarks.targets import StoreTarget
from faults.conftest import Durations, Seen
from faults.small_disk import on_small_disk, told_by
from faults.table import fault

LOUD = "fails loudly, recovers when space returns"
NO_ROOM, READ_AGAIN = "must stay free; make room", "make room on its disk, the rest goes by itself"


@fault(29, "disk full, below the vectors' reserve and to the last byte, cdc and flow", expected=LOUD)
def test_services_on_a_full_disk_wait_for_room(seen: Seen, durations: Durations) -> None:
    report = on_small_disk("services", durations(ci=2, full=60))

    seen(f"{report['verdict']}; {report['deaths']} deaths; said {report['full']}")
    assert report["exact"]
    assert NO_ROOM in str(report["low"])
    assert all(READ_AGAIN in told for told in cast("list[str]", report["full"]))


@fault(29, "disk full, below the vectors' reserve and to the last byte, `twin up`", expected=LOUD)
def test_a_system_on_a_full_disk_says_so_answers_and_goes_on(seen: Seen, durations: Durations) -> None:
    report = on_small_disk("system", durations(ci=2, full=60))

    status, told = cast("tuple[int, str]", report["full"])
    seen(f"{report['verdict']}; a write was answered with {status}: {told!r}; {report['deaths']} deaths")
    assert report["exact"]
    assert NO_ROOM in str(report["low"])
    assert (status, report["found"]) == (503, 200)
    assert READ_AGAIN in told


@fault(29, "no room to rebuild the vectors", expected="said where it is asked for; opened and read all the same")
def test_vectors_that_cannot_be_rebuilt_are_read_all_the_same(seen: Seen) -> None:
    report = on_small_disk("optimize", 0)

    seen(f"{report['without room']} points read without room; asked for: {report['refused']}")
    assert (report["without room"], report["with room"]) == (4000, 4000)
    assert "not enough space" in str(report["refused"]).lower()


@pytest.fixture
def load(services: Services) -> Load:
    return Load(29, StoreTarget(services.documents), services.ledger, rate=100, documents=600)


@fault(29, "every write of a file fails, for a while", expected=LOUD)
def test_writes_that_fail_are_tried_again(services: Services, load: Load, seen: Seen, durations: Durations) -> None:
    cdc, flow = services.start_cdc().wait_for_state("active"), services.start_flow().wait_for_state("running")
    with restarting(cdc, flow):
        with load.running():
            load.wait_for(100)
            for process in (cdc, flow):  # files may grow to this size no more
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            told = [told_by(cdc), told_by(flow)]
            time.sleep(durations(ci=2, full=60))
            for process in (cdc, flow):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            load.wait_for(100)
        services.wait_until_quiet()

    audit, verdict = services.audit(), services.verdict()

    seen(f"{load.written} writes: {verdict}, leftovers {services.leftovers()}; said {told}")
    assert verdict.exact
    assert audit.exact
    assert services.leftovers() == 0
    assert all("again" in words for words in told)
