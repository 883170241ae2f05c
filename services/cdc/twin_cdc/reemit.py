"""Publishing present states again: a list of documents, or everything, beside the live feed."""

from dataclasses import dataclass, field

from twin_cdc.capture import messages_of_snapshot
from twin_cdc.window import Window
from twin_contracts.base import DocumentId
from twin_contracts.events import Purge, Version
from twin_contracts.queues import Lane, Queue
from twin_contracts.reemission import Reemission, ReemissionProgress
from twin_platform.documents.port import DocumentStore, Snapshot
from twin_platform.log.port import EventLog
from twin_platform.records.port import RecordStore
from twin_platform.records.reemissions import REEMISSIONS, open_reemissions
from twin_platform.telemetry.clock import Clock

STEP_ROWS = 100
"""Rows asked for at once; the store may hand out fewer."""


@dataclass
class _Everything:
    """A re-emission of everything that is under way."""

    request: Reemission
    joined: tuple[str, ...]
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
    _everything: _Everything | None = None
    _lists: dict[str, int] = field(default_factory=dict)

    def step(self) -> bool:
        """Do one piece of work; return False where there is none or it waits for confirmations."""
        mark = self.window.confirmed()
        if mark is not None:
            self._save(mark)
        if self.window.room < STEP_ROWS:
            return False
        for request in open_reemissions(self.records):
            if request.ids is not None:
                return self._step_list(request)
        if self._everything is None:
            self._everything = self._begin()
        return self._everything is not None and self._step_everything(self._everything)

    def _step_list(self, request: Reemission) -> bool:
        ids, done = request.ids or (), self._lists.get(request.id, 0)
        if done < len(ids):
            piece = ids[done : done + STEP_ROWS]
            snapshot = self.documents.read(piece)
            self.window.publish(messages_of_snapshot(snapshot, request.cause, self.log.partitions), mark=None)
            self._lists[request.id] = done + len(piece)
            return True
        if self.window.empty:
            self._lists.pop(request.id, None)
            self._finish(request.id)
            return True
        return False

    def _begin(self) -> _Everything | None:
        requests = [request for request in open_reemissions(self.records) if request.ids is None]
        begun = [request for request in requests if request.progress is not None]
        if begun:
            request = begun[0]
            progress = request.progress
            return _Everything(request, (), progress.last_id if progress else None)
        if requests:
            return _Everything(requests[0], tuple(request.id for request in requests[1:]), None)
        return None

    def _step_everything(self, run: _Everything) -> bool:
        if not run.scanned:
            self._scan(run)
        elif not self.window.empty:
            return False
        elif not run.purged:
            self._purge(run)
        else:
            for request_id in (run.request.id, *run.joined):
                self._finish(request_id)
            self._everything = None
        return True

    def _scan(self, run: _Everything) -> None:
        snapshot = self.documents.scan(run.after, STEP_ROWS)
        if snapshot.version < self._first(run, snapshot):
            return  # a new primary can be behind: the same step is read again
        if not snapshot.rows:
            run.scanned = True
            return
        run.after = max(row.document_id for row in snapshot.rows)
        messages = messages_of_snapshot(snapshot, run.request.cause, self.log.partitions)
        self.window.publish(messages, mark=run.after)

    def _first(self, run: _Everything, snapshot: Snapshot) -> Version:
        """Return the first step's version, stored before a row of that step is published."""
        if run.request.progress is None:
            progress = ReemissionProgress(first=snapshot.version)
            run.request = run.request.model_copy(update={"progress": progress})
            self.records.put(REEMISSIONS, run.request.id, run.request)
        assert run.request.progress is not None  # noqa: S101 - set just above
        return run.request.progress.first

    def _purge(self, run: _Everything) -> None:
        if run.request.progress is not None:
            purge = Purge(before=run.request.progress.first)
            queues = [Queue(partition, Lane.REFILL) for partition in range(self.log.partitions)]
            self.window.publish([(queue, purge) for queue in queues], mark=None)
        run.purged = True

    def _save(self, last_id: DocumentId) -> None:
        run = self._everything
        if run is None or run.request.progress is None:
            return
        progress = run.request.progress.model_copy(update={"last_id": last_id})
        run.request = run.request.model_copy(update={"progress": progress})
        self.records.put(REEMISSIONS, run.request.id, run.request)

    def _finish(self, request_id: str) -> None:
        stored = self.records.get(REEMISSIONS, request_id)
        if stored is not None:
            finished = stored.record.model_copy(update={"finished_at": self.clock.now()})
            self.records.put(REEMISSIONS, request_id, finished)
