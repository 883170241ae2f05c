"""Thousands of short histories of the sink: whatever falls between two of its writes, a reader is never lied to.

A history interleaves creates, edits, deletes, re-emissions with their purges, redeliveries, documents in slices,
crashes and stops after any call, processes that go on long after they were replaced, new handlers, housekeeping and
searches. What a reader may see, and when, says `fakes.readers`. In the end, when everything that waits has been
delivered, records and what is seen are the documents', and after an audit so are the stored points.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from fakes.feature_samples import EMBEDDER, about, names_in_partition
from fakes.features import InMemoryPointEngine
from fakes.histories import PARTITIONS, REFUSED, Content, Event, Purge, World
from fakes.readers import Reader
from fakes.writers import FlowProcess
from twin_contracts.documents import document_id_of
from twin_contracts.events import Version
from twin_contracts.records import RecordStatus
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import Alias, Delete, PointEngine

NAMES = (*names_in_partition(0, PARTITIONS, 2), *names_in_partition(1, PARTITIONS, 1))
EXAMPLES = settings().max_examples
"""Of the profile: 100, or more where somebody has the time."""
STEPS = 25
TO_THE_END = 10_000
"""More engine calls than an epoch makes."""
MOST_STOPPED = 2

names = st.sampled_from(NAMES)
contents = st.builds(Content, st.sampled_from(["a", "ab", "abc", "cd", f"a{REFUSED}"]), st.booleans())
commits = st.lists(st.tuples(names, st.none() | contents, st.sampled_from([True, True, False])), min_size=1, max_size=3)
lanes = st.sampled_from(["live", "refill", "past", "again"])
picks = st.lists(st.tuples(lanes, st.integers(0, 3)), min_size=1, max_size=3)
calls = st.integers(0, 16)
ends = st.sampled_from(["finish", "finish", "stay", "crash", "stop"])
whose = st.integers(0, 1)


class Histories(RuleBasedStateMachine):
    """Any history of three documents in two partitions, over any engine."""

    def __init__(self, new_engine: Callable[[], PointEngine]) -> None:
        super().__init__()
        self.engine = new_engine()
        self.world = World(NAMES)
        self.reader = Reader(self.engine, NAMES)
        self.flow = self._new_process(pipeline=1)
        self.stopped: list[FlowProcess] = []
        self.suspects: dict[str, Version] = {}

    @rule(commits=commits)
    def commit(self, commits: list[tuple[str, Content | None, bool]]) -> None:
        for name, content, is_seen in commits:
            self.world.commit(name, content, is_seen=is_seen)

    @rule(name=names)
    def reemit(self, name: str) -> None:
        self.world.reemit(name)

    @rule(steps=st.integers(1, 4))
    def reemit_everything(self, steps: int) -> None:
        for _ in range(steps):
            if not self.world.step_reemission():
                break

    @rule(picks=picks, parked=st.none() | st.none() | names, calls=calls, end=ends, pipelines=st.integers(0, 1))
    def deliver(self, picks: list[tuple[str, int]], parked: str | None, calls: int, end: str, pipelines: int) -> None:
        """Apply an epoch, or some calls of it before the process goes down, or stands still and another takes over."""
        if not self.flow.is_busy:
            taken = self._pick(picks)
            self._begin(self.flow, lambda: self.flow.begin(taken, parked))
        self._go(self.flow, calls, end, pipelines)

    @rule(pick=picks, calls=calls, end=ends, pipelines=st.integers(0, 1))
    def deliver_a_slice(self, pick: list[tuple[str, int]], calls: int, end: str, pipelines: int) -> None:
        if self.flow.is_busy:
            pass
        elif self.flow.sliced is not None:
            self._begin(self.flow, self.flow.begin_rest)
        else:
            for item in self._pick(pick[:1]):
                if isinstance(item, Event) and item.content and len(item.content.letters) > 1:
                    self._begin(self.flow, lambda item=item: self.flow.begin_slice(item))  # type: ignore[misc]
        self._go(self.flow, calls, end, pipelines)

    @precondition(lambda self: self.stopped)
    @rule(which=whose, calls=calls | st.just(TO_THE_END))
    def go_on(self, which: int, calls: int) -> None:
        self._go_on(self.stopped[which % len(self.stopped)], calls)

    @rule(name=names, calls=calls, which=st.integers(0, 2))
    def search_beside(self, name: str, calls: int, which: int) -> None:
        process = [self.flow, *self.stopped][which % (1 + len(self.stopped))]
        self.reader.search_beside(name, lambda: self._advance(process, calls))

    @rule(calls=calls)
    def audit(self, calls: int) -> None:
        self._audit(lambda: self._advance(self.flow, calls))
        self.reader.look()

    @rule()
    def forget_tombstones(self) -> None:
        held = [process.oldest for process in (self.flow, *self.stopped)]
        before = min([*held, *(item.version for item in self.world.waiting())])
        gone = self.reader.store.find_records(status=RecordStatus.DELETED)
        old = [record.document_id for record in gone if record.version < before]
        self.reader.store.forget_tombstones(before)
        self.reader.forgotten(name for name in NAMES if document_id_of(name) in old)
        self.reader.look()
        self.world.past = [event for event in self.world.past if event.version >= before]

    def teardown(self) -> None:
        """Let everything come to rest, half of the stopped processes before and half after, and compare."""
        for process in self.stopped[::2]:
            self._finish(process)
        self._finish(self.flow)
        while self.world.owes_everything or self.world.is_reemitting:
            self.world.step_reemission()
        while waiting := self.world.waiting():
            self._begin(self.flow, lambda waiting=waiting: self.flow.begin(waiting[:2], None))  # type: ignore[misc]
            self._advance(self.flow, TO_THE_END)
        for process in self.stopped[1::2]:
            self._finish(process)
        self.stopped = []
        for name in NAMES:
            self._compare(name)
        for _ in range(2):
            self._audit(lambda: None)
        self._compare_points()

    def _compare(self, name: str) -> None:
        record = self.reader.store.records([document_id_of(name)]).get(document_id_of(name))
        content = self.world.contents.get(name)
        if content is None:
            assert record is None or record.status is RecordStatus.DELETED, f"{name} is deleted and there"
        else:
            assert record is not None, f"{name} is lost"
            assert record.status is not RecordStatus.DELETED, f"{name} is there and deleted"
            assert self.world.told[name, record.version] == content, f"{name} is stale"

    def _compare_points(self) -> None:
        stored = {chunk.id for chunk in self.reader.store.chunks()}
        seen = {hit.id for name in NAMES for hit in self.reader.store.search(about(name))}
        assert stored == seen
        assert {record.document_id for record in self.reader.store.find_records()} <= set(map(document_id_of, NAMES))

    def _pick(self, picks: list[tuple[str, int]]) -> list[Event | Purge]:
        """Take events for an epoch: live and redelivered ones in any order, a refill queue's from its head."""
        being_sliced = self.flow.sliced and self.flow.sliced[0]
        taken: list[Event | Purge] = []
        for lane, number in picks:
            if lane == "refill":
                queue = self.world.refill[number % PARTITIONS]
                choice = [] if being_sliced in queue else list(queue)[: 1 + number]
            elif lane == "again":
                in_hand = self.stopped[number % len(self.stopped)].in_hand if self.stopped and not being_sliced else ()
                choice = [item for item in in_hand if item in self.world.waiting()]
            else:
                events = self.world.live if lane == "live" else self.world.past
                choice = [events[-1 - number % len(events)]] if events else []
            taken += [item for item in choice if item not in taken and item != being_sliced]
        return taken

    def _new_process(self, pipeline: int) -> FlowProcess:
        return FlowProcess(self.engine, pipeline, self.reader.look_at_what, self._committed)

    def _go(self, process: FlowProcess, calls: int, end: str, pipelines: int) -> None:
        self._advance(process, TO_THE_END if end == "finish" else calls)
        if end == "stop" and len(self.stopped) < MOST_STOPPED:
            process.buffer = [one for one in self.world.waiting() if isinstance(one, Event)][:3]
            process.taken = ()
            self.stopped.append(process)
        if end in {"crash", "stop"}:
            self.flow = self._new_process(process.pipeline + pipelines)

    def _begin(self, process: FlowProcess, begin: Callable[[], None]) -> None:
        begin()
        self.reader.begun(process)

    def _advance(self, process: FlowProcess, calls: int) -> None:
        if process.is_busy:
            process.advance(calls)

    def _committed(self, process: FlowProcess) -> None:
        self.reader.committed(process, [other for other in (self.flow, *self.stopped) if other is not process])
        self.world.acknowledge(process.taken)

    def _go_on(self, process: FlowProcess, calls: int) -> None:
        """A process that was replaced goes on: with its epoch, its document's rest, what it had read ahead."""
        if not process.is_busy:
            if process.sliced is not None:
                self._begin(process, process.begin_rest)
            elif process.buffer:
                event = process.buffer.pop()
                self._begin(process, lambda: process.begin([event], None))
            process.taken = ()
        self._advance(process, calls)

    def _finish(self, process: FlowProcess) -> None:
        while process.is_busy or process.sliced or process.buffer:
            self._go_on(process, TO_THE_END)

    def _audit(self, meanwhile: Callable[[], None]) -> None:
        """Remove what an audit may: older than its record at once, other invalid chunks when it meets them again.

        The second time is an hour later, when no epoch and no slice of the first time is under way any more.
        """
        store = self.reader.store
        is_quiet = not any(process.is_busy or process.sliced for process in (self.flow, *self.stopped))
        records = {record.document_id: record for record in store.find_records()}
        met: dict[str, Version] = {}
        removed: list[tuple[str, Version]] = []
        for chunk in list(store.chunks()):
            record, at = records.get(chunk.payload.document_id), chunk.payload.version
            if record and record.status is RecordStatus.INDEXED and record.revision == chunk.payload.revision:
                continue
            if (record and at < record.version) or (is_quiet and self.suspects.get(chunk.id) == at):
                removed.append((chunk.id, at))
            else:
                met[chunk.id] = at
        self.suspects = met
        meanwhile()
        for chunk_id, at in removed:
            store.remove_chunks([chunk_id], at)


def search_histories(new_engine: Callable[[], PointEngine], examples: int) -> None:
    class HistoriesHere(Histories):
        def __init__(self) -> None:
            super().__init__(new_engine)

    run_state_machine_as_test(HistoriesHere, settings=settings(max_examples=examples, stateful_step_count=STEPS))


def test_no_history_shows_a_reader_what_is_deleted_stale_or_half_written() -> None:
    search_histories(InMemoryPointEngine, 20 * EXAMPLES)


def test_no_history_over_the_real_engine_does_either(tmp_path: Path) -> None:
    with closing(EdgeEngine(tmp_path, EMBEDDER.spec)) as engine:  # opened once, since that waits for the disk

        def emptied() -> PointEngine:
            for alias in Alias:
                engine.write(alias, [Delete(())])
            return engine

        search_histories(emptied, EXAMPLES)
