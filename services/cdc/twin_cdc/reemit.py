"""Publishing present states again: a list of documents, or everything, beside the live feed."""

from dataclasses import dataclass, field

from twin_cdc.capture import messages_of_snapshot
from twin_cdc.window import Window
from twin_contracts.base import DocumentId
from twin_contracts.documents import told_id
from twin_contracts.events import Cause, Purge, Version
from twin_contracts.queues import Lane, Queue
from twin_contracts.reemission import Reemission, ReemissionProgress
from twin_platform.documents.port import DocumentStore
from twin_platform.log.port import EventLog
from twin_platform.records.port import RecordStore
from twin_platform.records.reemissions import REEMISSIONS, finish_reemission, open_reemissions
from twin_platform.telemetry.clock import Clock

STEP_ROWS = 100
"""Rows asked for at once; the store may hand out fewer."""
LIST_STEP = 16
"""Listed documents read at once: the store cannot hand out fewer, and each may have 8 MiB."""

LOOK_SECONDS = 0.1
"""Requests are looked for at most this often: lists of thousands of ids are not read for every step of another."""


@dataclass
class _Everything:
    """A re-emission of everything that is under way."""

    lead: Reemission
    """The request whose record keeps the progress and whose cause the events carry."""
    joined: list[Reemission]
    """Requests that had not begun when this one did: it covers them."""
    after: DocumentId | None
    scanned: bool = False
    purged: bool = False


@dataclass
class Reemitter:
    """Runs the open requests step by step; lists go between the steps of a full one. Resumes where it was killed.

    Nothing here blocks: `step` does at most one read and hands over at most one window's room of events.
    """

    documents: DocumentStore
    log: EventLog
    records: RecordStore
    clock: Clock
    window: Window
    _open: list[Reemission] = field(default_factory=list)
    _looked: float | None = None
    _listed: dict[str, int] = field(default_factory=dict)
    """How many ids of a list have been published."""
    _everything: _Everything | None = None

    @property
    def requests(self) -> int:
        """Return how many were open at the last look; any thread may ask."""
        return len(self._open)

    def step(self) -> bool:
        """Do one piece of work; return False where there is none or it waits for confirmations."""
        mark = self.window.confirmed()
        if mark is not None and self._everything is not None:
            self._save(self._everything, mark)
        if self.window.room < STEP_ROWS:
            return False
        self._look()
        for request in self._open:
            if request.ids is not None:
                return self._step_list(request, request.ids)
        if self._everything is None:
            self._everything = _begin(self._open)
        return self._everything is not None and self._step_everything(self._everything)

    def _look(self) -> None:
        now = self.clock.monotonic()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            self._open, self._looked = open_reemissions(self.records), now

    def _step_list(self, request: Reemission, ids: tuple[DocumentId, ...]) -> bool:
        done = self._listed.get(request.id, 0)
        if done < len(ids):
            piece = ids[done : done + LIST_STEP]
            snapshot = self.documents.read(piece)
            self.window.publish(messages_of_snapshot(snapshot, request.cause, self.log.partitions), mark=None)
            self._listed[request.id] = done + len(piece)
        elif self.window.empty:
            self._finish(request)
            self._listed.pop(request.id, None)
        else:
            return False
        return True

    def _step_everything(self, run: _Everything) -> bool:
        if not run.scanned:
            return self._scan(run)
        if not self.window.empty:
            return False
        if not run.purged:
            self._purge(run)
        else:
            for request in (*run.joined, run.lead):  # the one with the progress last: it resumes where it was
                self._finish(request)
            self._everything = None
        return True

    def _scan(self, run: _Everything) -> bool:
        snapshot = self.documents.scan(run.after, STEP_ROWS)
        progress = run.lead.progress or self._start(run, snapshot.version)
        if snapshot.version < progress.first:
            return False  # a new primary can be behind: the same step is read again
        run.scanned = not snapshot.rows
        if snapshot.rows:
            ids = [row.document_id for row in snapshot.rows]
            run.after = max(ids)
            messages = messages_of_snapshot(snapshot, run.lead.cause, self.log.partitions)
            self.window.publish(messages, mark=max((one for one in ids if told_id(one) == one), default=None))
        return True

    def _start(self, run: _Everything, first: Version) -> ReemissionProgress:
        """Store the first step's version, before a row of that step is published; the joined share it."""
        progress = ReemissionProgress(first=first)
        run.joined = [self._put(request, progress) for request in run.joined]
        run.lead = self._put(run.lead, progress)
        return progress

    def _purge(self, run: _Everything) -> None:
        if run.lead.progress is not None:
            purge = Purge(before=run.lead.progress.first)
            queues = [Queue(partition, Lane.REFILL) for partition in range(self.log.partitions)]
            self.window.publish([(queue, purge) for queue in queues], mark=None)
        run.purged = True

    def _save(self, run: _Everything, last_id: DocumentId) -> None:
        if run.lead.progress is not None:
            run.lead = self._put(run.lead, run.lead.progress.model_copy(update={"last_id": last_id}))

    def _put(self, request: Reemission, progress: ReemissionProgress) -> Reemission:
        changed = request.model_copy(update={"progress": progress})
        self.records.put(REEMISSIONS, request.id, changed)
        return changed

    def _finish(self, request: Reemission) -> None:
        finish_reemission(self.records, self.clock, request)
        self._open = [waiting for waiting in self._open if waiting.id != request.id]


def _begin(requests: list[Reemission]) -> _Everything | None:
    """Return the run of everything that was interrupted, or one of all that have not begun; None where none waits."""
    everything = [request for request in requests if request.ids is None]
    group = [request for request in everything if request.progress is not None] or everything
    if not group:
        return None
    lead = max(group, key=lambda request: (_reached(request), request.cause is Cause.REPLAY))
    return _Everything(lead, [request for request in group if request is not lead], _reached(lead) or None)


def _reached(request: Reemission) -> DocumentId:
    return (request.progress and request.progress.last_id) or ""
