"""What an API that is one process of several knows of the others: their reports, read again and again."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final

from twin_contracts.http import ComponentStatus
from twin_platform.errors import TransientError
from twin_platform.features.news import Listener, News
from twin_platform.records.port import RecordStore, Stored
from twin_platform.reports import REPORTS, Report

LOOK_SECONDS: Final = 0.2
SILENT_LOOKS: Final = 50
"""So many looks at an unchanged record, and its process is silent: it puts a new one every two seconds."""
NEEDED: Final = {
    "cdc": "changes wait in the document store; start python -m twin_cdc",
    "feature-stream": "changes wait in the event log; start python -m twin_feature_stream",
    "crawler": "crawls wait; start python -m twin_crawler",
}
"""Components that a whole system has, and what is to be said where none of them reports."""
_ORDER: Final = ("ready", "starting", "degraded", "stopped")


@dataclass
class _Heard:
    """A process's last report, and for how many looks it has been the last."""

    stored: Stored[Report]
    unchanged: int = 0

    @property
    def report(self) -> Report:
        return self.stored.record

    @property
    def silent(self) -> bool:
        return self.unchanged >= SILENT_LOOKS

    @property
    def ended(self) -> bool:
        """Return whether it has said that it ends."""
        return all(one.state == "stopped" for one in self.report.components)

    def components(self) -> Iterator[ComponentStatus]:
        """Yield what it tells; what does not run any more keeps nobody from an answer: it is late, not wrong."""
        for one in self.report.components:
            if self.silent:
                why = f"nothing heard for {self.unchanged * LOOK_SECONDS:.0f} s; see whether its process still runs"
                yield one.model_copy(update={"state": "degraded", "detail": why})
            else:
                yield one.model_copy(update={"state": "degraded"}) if one.state == "stopped" else one


class OtherProcesses:
    """The service that reads; its thread looks, any thread asks. One that has ended in good order is soon not known.

    News are told at least once. Where some are missing, or a flow has died and may have left some untold, the streams
    of those who listen end: they come again and look at the lists.
    """

    def __init__(self, records: RecordStore) -> None:
        """Prepare to read; what was told before the first look is no news."""
        self._records = records
        self._heard: dict[str, _Heard] | None = None
        self._away: str | None = None
        self._news = News()

    def run(self, stop: Flag) -> None:
        """Look until `stop` is set; a store that is away is said by `components`."""
        while True:
            try:
                self.look()
                self._away = None
            except TransientError as error:
                self._away = str(error)
            if stop.wait(LOOK_SECONDS):
                return

    def look(self) -> None:
        """Read every report, and tell what is new in them."""
        before, heard = self._heard, dict[str, _Heard]()
        for stored in self._records.find(REPORTS):
            known = None if before is None else before.get(stored.key)
            if known is not None and known.stored.revision == stored.revision:
                heard[stored.key] = self._unchanged(known)
            else:
                heard[stored.key] = _Heard(stored)
                seen = stored.record.told if before is None else 0 if known is None else known.report.told
                self._tell(stored.record, seen or 0)
        self._heard = heard

    def components(self) -> tuple[ComponentStatus, ...]:
        """Return how every service is, the best of several with one name: who stands by makes up for who is dead."""
        if self._away is not None or self._heard is None:
            state = "starting" if self._away is None else "stopped"
            return (ComponentStatus.model_validate({"name": "records", "state": state, "detail": self._away}),)
        best: dict[str, ComponentStatus] = {}
        present = [one for one in self._heard.values() if not (one.silent and one.ended)]
        for one in (component for heard in present for component in heard.components()):
            if one.name not in best or _rank(one) < _rank(best[one.name]):
                best[one.name] = one
        for name, why in NEEDED.items():
            if not any(known.split(" ")[0] == name for known in best):
                best[name] = ComponentStatus(name=name, state="degraded", detail=f"none reports; {why}")
        return tuple(best[name] for name in sorted(best))

    def seconds_to_searchable(self) -> float | None:
        """Return commit to searchable of the flows' last live changes, the slowest; None where none has had any."""
        told = [one.seconds_to_searchable for one in self._live() if one.seconds_to_searchable is not None]
        return max(told, default=None)

    def chunks_embedded(self) -> int:
        """Return how many chunks the flows have embedded since each started."""
        return sum(one.chunks_embedded for one in self._live())

    def unacknowledged(self) -> int:
        """Return how many events the flows have fetched and not acknowledged."""
        return sum(one.unacknowledged for one in self._live())

    def listen(self) -> AbstractContextManager[Listener]:
        """Return a context in which a listener hears what the flows apply, half a second later."""
        return self._news.listen()

    def _live(self) -> list[Report]:
        return [one.report for one in (self._heard or {}).values() if not (one.silent or one.ended)]

    def _tell(self, report: Report, seen: int) -> None:
        fresh = (report.told or 0) - seen
        if fresh > len(report.news):
            self._news.lose()
        elif fresh > 0:
            self._news.tell(report.news[-fresh:])

    def _unchanged(self, known: _Heard) -> _Heard:
        """Count the look; a flow that falls silent without a last word may have left news untold."""
        counted = _Heard(known.stored, known.unchanged + 1)
        if counted.unchanged == SILENT_LOOKS and counted.report.told is not None and not counted.ended:
            self._news.lose()
        return counted


def _rank(component: ComponentStatus) -> tuple[int, bool]:
    return _ORDER.index(component.state), component.detail is not None
