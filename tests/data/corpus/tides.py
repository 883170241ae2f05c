"""Predict high water at a harbour from a handful of tidal constituents."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Constituent:
    """One cosine of the tide: metres, degrees per hour, degrees."""

    name: str
    amplitude: float
    speed: float
    phase: float


M2 = Constituent("M2", 1.42, 28.984, 110.0)
S2 = Constituent("S2", 0.39, 30.0, 160.0)
O1 = Constituent("O1", 0.11, 13.943, 215.0)


def hours_between(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600


def metres(value: float) -> str:
    return f"{value:.2f} m"


class Harbour:
    """A place with a mean level and the constituents measured there."""

    def __init__(self, name: str, mean_level: float, constituents: list[Constituent], epoch: datetime) -> None:
        self.name = name
        self.mean_level = mean_level
        self.constituents = constituents
        self.epoch = epoch

    def level(self, moment: datetime) -> float:
        """Return the water level in metres above chart datum, without wind and air pressure."""
        hours = hours_between(self.epoch, moment)
        return self.mean_level + sum(
            each.amplitude * math.cos(math.radians(each.speed * hours - each.phase)) for each in self.constituents
        )

    def high_waters(self, start: datetime, days: int) -> list[tuple[datetime, float]]:
        """Return the moments of high water in steps of six minutes, with their levels.

        A moment counts when its level is above those six minutes before and after it. Two tides of a day may differ by
        half a metre where the diurnal constituents are strong; both are listed. Around neap tides the curve is so flat
        that the moment is uncertain by a quarter of an hour, which no boat has ever noticed.
        """
        step = timedelta(minutes=6)
        found = []
        moment = start
        before, here = self.level(moment - step), self.level(moment)
        while moment < start + timedelta(days=days):
            after = self.level(moment + step)
            if before < here >= after:
                found.append((moment, here))
            before, here = here, after
            moment += step
        return found

    def keel_clearance(self, moment: datetime, charted_depth: float, draught: float) -> float:
        """Return the water under the keel in metres; negative means aground."""
        return charted_depth + self.level(moment) - draught
