"""Ten minutes of load while anything is killed or held still at random: what is lost, what grows, how far it lags.

The first part is disturbed, the rest is not. Of every long life the median memory of the last quarter is set beside
that of the second. A process grows until it has seen some thousand writes, so only ten minutes in which nobody kills
it say whether its memory is flat: `--calm` disturbs nothing. In the end the load stops, everything has to arrive, and
the oracle judges; then an audit has to agree. The exit status is 1 where either finds anything or a process has died
that nobody killed, whatever the figures are.
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.plot import Mark, Panel, svg
from benchmarks.report import RESULTS, Row, report
from benchmarks.soak_clients import Work
from benchmarks.soak_samples import Counts, Judged, Sample, Sampler, Soaked, audited, growths
from benchmarks.soak_services import soaked_services
from benchmarks.soak_up import soaked_up
from twin_contracts.audit import AuditReport

DISTURBED: Final = 0.6
"""Share of the time in which anything may happen."""
BETWEEN_SECONDS: Final = (2.0, 14.0)
REST_SECONDS: Final = 0.5
RATE: Final = 10.0
"""Writes a second."""
FLAT: Final = 1.05
"""Memory is flat where it grows by no more than this."""
JUDGED_LIFE: Final = 600.0
"""Seconds that a process has to live before that is asked of it."""
CALM_RATE: Final = 20.0
KILL, PAUSE = "#cf222e", "#bf8700"
WAYS: Final[dict[str, Callable[[], AbstractContextManager[Soaked]]]] = {"up": soaked_up, "services": soaked_services}
RESULTS_OF: Final = {"up": "soak", "services": "soak-processes"}
"""Names of the figures and the picture."""


@dataclass(frozen=True)
class Disturbance:
    """What was done, in seconds since the beginning."""

    begin: float
    end: float
    what: str


@dataclass(frozen=True)
class Soak:
    """What happened, and what is there in the end."""

    samples: Sequence[Sample]
    disturbances: Sequence[Disturbance]
    calm: float
    """When the disturbances ended."""
    loaded: float
    """When the load ended."""
    writes: int
    own_deaths: int
    """Of processes that nobody killed."""
    judged: Judged
    audit: AuditReport
    after_audit: Judged

    @property
    def differing(self) -> int:
        """Return how many documents differ as the audit sees it; chunks that no reader sees are no difference."""
        seen = self.audit.counts
        return seen.missing + seen.stale + seen.unexpected + seen.incomplete

    @property
    def is_right(self) -> bool:
        """Return whether nothing was lost, nothing is wrong, and nobody died by himself."""
        verdicts = self.judged.verdict, self.after_audit.verdict
        return all(one.exact for one in verdicts) and not self.own_deaths and not self.differing


def soak(soaked: Soaked, seconds: float, seed: int, rate: float, disturbed: float = DISTURBED) -> Soak:
    """Let a system work, disturb it for that share of the time, leave it alone, and judge it."""
    sampler = Sampler(soaked)
    with sampler.running():
        with soaked.work(seed, rate) as work:
            disturbances = list(disturb(soaked, work, sampler, random.Random(seed), disturbed * seconds))  # noqa: S311
            calm = sampler.now
            rest(work, sampler, seconds)
            loaded = sampler.now
        soaked.wait_until_quiet()
    own_deaths = soaked.own_deaths()
    judged = soaked.judged()  # before the audit, which would repair what is wrong
    soaked.start()
    audit = audited(soaked.folder)
    return Soak(
        sampler.samples, disturbances, calm, loaded, work.load.written, own_deaths, judged, audit, soaked.judged()
    )


def disturb(soaked: Soaked, work: Work, sampler: Sampler, chance: random.Random, until: float) -> Iterator[Disturbance]:
    """Do one thing after the other until so many seconds have passed."""
    while (following := chance.uniform(*BETWEEN_SECONDS) + sampler.now) < until:
        rest(work, sampler, following)
        begin = sampler.now
        what = chance.choice(soaked.actions())(chance)
        print(f"{begin:7.1f} s  {what}", flush=True)
        yield Disturbance(begin, sampler.now, what)


def rest(work: Work, sampler: Sampler, until: float) -> None:
    """Let it work until so many seconds have passed; raises at once where it does not."""
    while sampler.now < until:
        time.sleep(min(REST_SECONDS, max(0.0, until - sampler.now)))
        work.check()
        sampler.check()


def rows(result: Soak) -> list[Row]:
    """Return the figures."""
    verdict = result.judged.verdict
    wrong = {"lost": verdict.lost, "stale": verdict.stale, "visible orphans": verdict.orphans}
    wrong |= {"unexpected": verdict.unexpected, "parked": verdict.parked}
    wrong |= {"different, as the audit sees it": result.differing}
    done = Counter(one.what for one in result.disturbances)
    lags = [sample.counts.lag for sample in result.samples if sample.counts.lag is not None]
    calm = [sample.counts.lag for sample in result.samples if result.calm + 30 < sample.at < result.loaded]
    return [
        Row("seconds under load", result.loaded, "s"),
        Row("acknowledged writes of the load", result.writes, "writes"),
        *(Row(what, count, "times") for what, count in sorted(done.items())),
        Row("deaths that nobody caused", result.own_deaths, "times", goal="0", met=result.own_deaths == 0),
        Row("lag, median", statistics.median(lags), "s"),
        Row("lag, longest", max(lags), "s"),
        *([Row("lag while nothing is disturbed, longest", max(filter(None, calm)), "s")] if any(calm) else []),
        *(Row(what, count, "documents", goal="0", met=count == 0) for what, count in wrong.items()),
        Row("documents in the store", result.judged.stored, "documents"),
        Row(
            "documents in the snapshots",
            result.judged.records,
            "documents",
            against="documents in the store",
            ratio=result.judged.records / max(result.judged.stored, 1),
            goal="= 1",
            met=result.judged.records == result.judged.stored,
        ),
        Row("chunks that a reader sees", result.judged.chunks, "chunks"),
        Row("chunks that nobody sees, before the audit", result.judged.unseen, "chunks"),
        Row("chunks that nobody sees, left by the audit", result.after_audit.unseen, "chunks"),
        *memory_rows(result.samples),
        Row("data folder, most", max(sample.folder for sample in result.samples), "MB"),
        Row("data folder, in the end", result.samples[-1].folder, "MB"),
    ]


def memory_rows(samples: Sequence[Sample]) -> list[Row]:
    """Return the most memory of each role, and how that of every long life grew."""
    found = []
    for role in sorted({role for sample in samples for role in sample.lives}):
        most = max(sample.lives[role].resident for sample in samples if role in sample.lives)
        found.append(Row(f"{role}: resident memory, most", most, "MB"))
    for growth in growths(samples):
        name = f"{growth.role}, alive for {growth.seconds:.0f} s: memory"
        ratio, is_judged = growth.late / growth.early, growth.seconds >= JUDGED_LIFE
        found += [
            Row(f"{name} in the second quarter", growth.early, "MB"),
            Row(
                f"{name} in the last quarter",
                growth.late,
                "MB",
                against=f"{name} in the second quarter",
                ratio=ratio,
                goal=f"<= {FLAT}" if is_judged else None,
                met=ratio <= FLAT if is_judged else None,
            ),
        ]
    return found


def picture(title: str, result: Soak) -> str:
    """Return lag, counts, memory and disk over time as SVG, kills in red, pauses in yellow."""
    samples = result.samples

    def line(value: Callable[[Counts], float | None]) -> list[tuple[float, float | None]]:
        return [(sample.at, value(sample.counts)) for sample in samples]

    def memory(role: str) -> list[tuple[float, float | None]]:
        return [(one.at, one.lives[role].resident if role in one.lives else None) for one in samples]

    roles = sorted({role for sample in samples for role in sample.lives})
    panels = [
        Panel("lag in seconds", {"": line(lambda counts: counts.lag)}),
        Panel("events waiting", {"": line(lambda counts: counts.waiting)}),
        Panel(
            "documents",
            {"stored": line(lambda counts: counts.stored), "searchable": line(lambda counts: counts.records)},
        ),
        Panel("chunks", {"": line(lambda counts: counts.chunks)}),
        Panel("resident memory in MB", {role: memory(role) for role in roles}),
        Panel("data folder in MB", {"": [(sample.at, sample.folder) for sample in samples]}),
    ]
    marks = [Mark(one.begin, one.end, KILL if "kill" in one.what else PAUSE) for one in result.disturbances]
    return svg(title, panels, marks, samples[-1].at)


def main() -> int:
    """Soak, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument(
        "--way", choices=WAYS, default="up", help="`twin up`, or each service a process of its own on servers"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, help="writes a second")
    parser.add_argument("--calm", action="store_true", help="disturb nothing, and see whether memory is flat")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures and the picture")
    options = parser.parse_args()
    with WAYS[options.way]() as soaked:
        share, rate = (0.0, CALM_RATE) if options.calm else (DISTURBED, RATE)
        result = soak(soaked, options.seconds, options.seed, options.rate or rate, share)
    name = RESULTS_OF[options.way] + ("-calm" if options.calm else "")
    report(name, rows(result), options.results)
    title = f"{options.seconds:g} s of load, {len(result.disturbances)} kills (red), pauses and requests (yellow)"
    (options.results / f"{name}.svg").write_text(picture(title, result), "utf-8")
    if not result.is_right:
        print(result.judged, result.audit, result.after_audit, sep="\n")
    return 0 if result.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
