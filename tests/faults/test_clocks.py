"""Faults of clocks: they order nothing, so being wrong breaks nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from benchmarks.oracle import leftovers
from benchmarks.processes import Services
from fakes.chain import Chain
from faults.chains import load
from faults.conftest import Seen
from faults.table import fault
from twin_platform.telemetry.clock import SystemClock

HOUR = timedelta(hours=1)


@dataclass
class ShiftedClock(SystemClock):
    """The machine's clock, and how wrong this one is."""

    wrong_by: timedelta

    def now(self) -> datetime:
        return super().now() + self.wrong_by


@pytest.mark.parametrize("wrong_by", [HOUR, -HOUR], ids=["cdc ahead, flow behind", "cdc behind, flow ahead"])
@fault(28, "clocks of workers an hour off; the store's clock ten minutes back", expected="no effect")
def test_wrong_clocks_lose_nothing_and_keep_nothing_stale(services: Services, seen: Seen, wrong_by: timedelta) -> None:
    store = ShiftedClock(timedelta())
    chain = Chain(
        services.folder,
        url=services.url,
        ledger=services.ledger,
        clock=store,
        cdc_clock=ShiftedClock(wrong_by),
        flow_clock=ShiftedClock(-wrong_by),
    )
    with chain.opened():
        writes = load(chain)
        with chain.running():
            writes.run(60)
            store.wrong_by = timedelta(minutes=-10)
            writes.run(60)  # edits and deletes of what was written ten minutes later
            chain.wait_until_quiet()
            before = chain.verdict()
            chain.resync()
            writes.run(30)
            chain.wait_until_quiet()

        verdict = chain.verdict()
        seen(f"{before}; after a resync {verdict}, leftovers {leftovers(chain.features)}")
        assert before.exact
        assert verdict.exact
        assert leftovers(chain.features) == 0
