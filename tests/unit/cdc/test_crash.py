"""A relay killed at every point: the next one loses nothing, deletions included."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest

from fakes.flow import post
from fakes.relay import SECOND, Killed, LateLog, Life, World
from twin_cdc import reemit
from twin_contracts.events import Cause


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reemit, "STEP_ROWS", 3)


@dataclass
class SlowWorld(World):
    """Its log confirms two events at each turn of the relay, and what was not confirmed is lost in a crash."""

    log: LateLog = field(default_factory=lambda: LateLog(partitions=2))

    def quiet(self) -> bool:
        self.log.confirm(2)
        return super().quiet()


def first_start() -> SlowWorld:
    world = SlowWorld()
    world.write(*"abcdefgh")
    return world


def position_lost() -> SlowWorld:
    """Deletions were forgotten while no relay ran."""
    world = first_start()
    world.run()
    world.write("a", text="second")
    world.delete("b", "c")
    world.clock.turn(SECOND)
    world.documents.forget_deletions(world.clock.now())
    return world


def everything_and_a_list() -> SlowWorld:
    world = first_start()
    world.run()
    world.ask()
    world.delete("d")
    world.ask(post("a", "").id, post("never written", "").id, post("d", "").id, cause=Cause.REPLAY)
    world.ask(cause=Cause.REPLAY)
    return world


def queue_vanished() -> SlowWorld:
    world = first_start()
    world.run()
    for queue in list(world.log._queues)[:3]:
        world.log.lose(queue)
    return world


def others(world: World) -> dict[int, Callable[[], None]]:
    """What is written while the relay works."""
    return {
        3: lambda: world.write("b", text="while it starts"),
        9: lambda: world.delete("e"),
        12: lambda: world.write("i", text="new"),
        18: lambda: world.write("a", text="once"),
        20: lambda: world.write("a", text="twice"),
        24: lambda: world.delete("i"),
        26: lambda: world.delete("a"),
        30: lambda: world.write("e", text="back again"),
    }


@pytest.mark.parametrize("situation", [first_start, position_lost, everything_and_a_list, queue_vanished])
def test_killed_at_any_call_nothing_is_lost(situation: Callable[[], SlowWorld]) -> None:
    for last in count(1):
        world = situation()
        life = Life(last, others(world))
        with suppress(Killed):
            world.run(life=life)
        world.log.late.clear()
        for change in life.meanwhile.values():
            change()

        world.run()

        assert world.published() == world.stored(), f"after a kill at call {last}"
        if life.calls < last:
            break
    assert last > 40
