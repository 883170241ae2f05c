"""`make demo-crash`: the system is killed three times in front of the reader, and what was lost is counted: nothing.

The processes are those of `twin up` and the kills are real. The oracle counts, from the writes that were acknowledged
and from what store and snapshots hold. The exit status is 1 where something was lost or is wrong.
"""

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from benchmarks.demo_writer import Acknowledged, Write, Writer, own_texts, writes
from benchmarks.oracle import judge
from benchmarks.system import RunningSystem, running_system
from twin_cli import show
from twin_cli.client import Client
from twin_cli.data_folder import DataFolder
from twin_cli.demo_texts import SAMPLE_AUTHOR
from twin_cli.errors import CommandError
from twin_cli.settings import Settings
from twin_cli.terminal import say, width
from twin_contracts.base import DocumentId
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.events import EventHeaders
from twin_contracts.http import DocumentPage, DocumentState, SystemStatus
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_contracts.records import RecordStatus
from twin_feature_stream.in_hand import IN_HAND
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.errors import PlatformError
from twin_platform.features.open import open_feature_store
from twin_platform.records.open import open_record_store
from twin_platform.telemetry.clock import SystemClock

KILLS_AT: Final = (0.15, 0.4, 0.65)
"""Shares of the documents that are searchable at a kill, so that it falls into work on a machine of any speed."""
LOOK_SECONDS: Final = 0.1
TELL_SECONDS: Final = 2.0
GIVE_UP_SECONDS: Final = 600.0
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as a shell has it."""
NAMED: Final = 3
"""Waiting documents that are named after a kill."""
WRONG: Final = "That should not be: please report it, with the lines above."
INDENT: Final = "   "
WHY: Final = (
    "Why nothing is lost: no component acknowledges what the next one has not stored, so a kill leaves work undone but "
    "never forgotten; and what is done a second time is recognised by its version and changes nothing."
)


@dataclass(frozen=True)
class Waiting:
    """What the log holds while nobody runs."""

    events: int
    in_hand: int
    """Of these, how many the killed process was working on."""
    done: int
    """Of these, how many it had made searchable and not acknowledged yet."""
    about: str
    """What some of them are about."""


@dataclass
class Demo:
    """Tells what happens while it happens."""

    system: RunningSystem
    writer: Writer
    names: Mapping[DocumentId, str]
    expected: int
    """Documents that have to be there at the end."""
    client: Client
    redelivered: int = 0
    _began: float = field(default_factory=time.monotonic)
    _told: float = float("-inf")

    def run(self) -> None:
        """Let the writer work, kill three times, and wait until the system is quiet."""
        tell(f"{'seconds':>7} {'stored':>8} {'searchable':>12} {'events waiting':>16}")
        self.writer.start()
        for number, share in enumerate(KILLS_AT, start=1):
            next(seen for seen in self._watch() if seen.counts.indexed >= share * self.expected)
            self._kill(number)
        last = next(seen for seen in self._watch() if not self.writer.is_alive() and _is_quiet(seen))
        self._progress(last)

    def _kill(self, number: int) -> None:
        searchable = self._searchable()
        pid = self.system.child().pid
        tell("", emphasised(f"kill -9 {pid}") + f"    ({number} of {len(KILLS_AT)})")
        self.system.kill_child()
        killed = time.monotonic()
        waiting = waiting_in_log(self.system, searchable, self.names)
        self.redelivered += waiting.done + waiting.in_hand
        tell(
            f"The log on disk holds {waiting.events} events that nobody has acknowledged; {waiting.in_hand} were being "
            f"worked on. They are about {waiting.about}."
        )
        next(seen for seen in self._watch(told=False) if seen.chunks_embedded)
        took = time.monotonic() - killed
        tell(f"{took:.1f} s after the kill, process {self.system.child().pid} embeds what they tell.", "")

    def _watch(self, *, told: bool = True) -> Iterator[SystemStatus]:
        """Yield how far the system is, again and again.

        Raises:
            CommandError: it does not get on.
            PlatformError: the writer was refused.
        """
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            seen = self.client.status()
            self.writer.settled = seen.counts.indexed + seen.counts.rejected + seen.counts.parked
            if self.writer.failure is not None:
                raise self.writer.failure
            if told and time.monotonic() >= self._told + TELL_SECONDS:
                self._progress(seen)
            yield seen
            time.sleep(LOOK_SECONDS)
        message = f"no end after {GIVE_UP_SECONDS:.0f} s; the system's last lines:\n{self.system.log[-2000:]}"
        raise CommandError(message)

    def _progress(self, seen: SystemStatus) -> None:
        self._told = time.monotonic()
        counts = seen.counts
        tell(f"{self._told - self._began:7.1f} {counts.stored:8} {counts.indexed:12} {seen.waiting:16}")

    def _searchable(self) -> set[tuple[DocumentId, str | None]]:
        """Return the content of every document that is searchable in its newest version."""
        with self.system.client() as http:
            page = DocumentPage.model_validate_json(http.get("/v1/documents?limit=500").raise_for_status().content)
        return {(one.document_id, one.content_hash) for one in page.items if one.status is DocumentState.INDEXED}


def waiting_in_log(
    system: RunningSystem, searchable: set[tuple[DocumentId, str | None]], names: Mapping[DocumentId, str]
) -> Waiting:
    """Read the log's file while no process has it."""
    with closing(sqlite3.connect(f"file:{system.data}/log.db?mode=ro", uri=True)) as log:
        rows = [
            EventHeaders.model_validate_json(row) for (row,) in log.execute("SELECT headers FROM events ORDER BY seq")
        ]
    with open_record_store(f"sqlite://{system.data}/records.db") as records:
        left = records.get(IN_HAND, "0")
    in_hand = len(left.record.handling) if left else 0
    done = sum((row.document_id, row.content_hash) in searchable for row in rows)
    about = dict.fromkeys(names[row.document_id] for row in rows if row.document_id is not None)
    return Waiting(len(rows), in_hand, done, ", ".join(list(about)[:NAMED]) + " and others")


def count(data: Path, spec: EmbeddingSpec, acknowledged: Acknowledged, redelivered: int) -> bool:
    """Print what the oracle counts in the folder of a stopped system; return whether all is as it has to be."""
    with (
        open_document_store(f"sqlite://{data}/documents.db", SystemClock()) as documents,
        open_feature_store(f"edge://{data}/vectors", spec, DEFAULT_PARTITIONS) as features,
    ):
        verdict = judge(acknowledged.ledger, documents, features)
        stored, chunks = documents.count(), features.count_chunks()
        searchable = features.count_records(RecordStatus.INDEXED)
    whole = stored == searchable == acknowledged.present
    tell(
        f"acknowledged    {acknowledged.present:5}   documents: {acknowledged.imported} imported, "
        f"{acknowledged.edited} of them edited, {acknowledged.deleted} deleted",
        f"stored          {stored:5}",
        f"searchable      {searchable:5}   in {chunks:,} chunks",
        f"lost            {verdict.lost:5}   acknowledged and not there, or not whole",
        f"stale           {verdict.stale:5}   there with an older content",
        f"visible orphans {verdict.orphans:5}   passages of what was deleted or replaced",
        f"unexpected      {verdict.unexpected:5}   there and never acknowledged",
        f"redelivered     {redelivered:5}   events in hand, or done and not acknowledged, that came again",
    )
    return verdict.exact and whole


def tell(*lines: str) -> None:
    """Print lines of a step, wrapped where they go to a terminal."""
    columns = width()
    for line in lines:
        inner = show.wrapped(line, columns and columns - len(INDENT)) if len(line) > (columns or len(line)) else line
        print("\n".join(f"{INDENT}{part}".rstrip() for part in inner.split("\n")), flush=True)


def step(number: int, title: str) -> None:
    """Print a step's title."""
    print(f"\n{show.wrapped(f'{number}. {title}', width())}\n", flush=True)


def emphasised(line: str) -> str:
    """Return the line in bold red, plain where it does not go to a terminal."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[1;31m{line}\x1b[0m" if coloured else line


def demo() -> int:
    """Run the demo; return 0 where nothing was lost."""
    say("This kills a running system three times in the middle of its work, and counts what that has lost.")
    settings = Settings()
    model = EmbeddingSettings.of(settings)
    spec = open_embedder(model, say).spec  # fetched in front of the reader, where it is the first time
    inputs = list(own_texts())
    todo = list(writes(inputs))
    step(1, "Starting `twin up`, in a data folder that is removed at the end.")
    with running_system(**environment_of(settings)) as system:
        tell(
            f"Process {system.child().pid} stores, captures, embeds and answers. "
            f"Its parent, {system.parent.pid}, starts it again when it dies."
        )
        step(2, f"Importing {len(inputs)} texts of this clone; some are edited and some deleted meanwhile.")
        redelivered, acknowledged = work(system, todo)
        step(3, "All is quiet. The system is stopped, and what was acknowledged is compared with what is there.")
        system.stop()
        exact = count(system.data, spec, acknowledged, redelivered)
        if not exact:
            say(system.log)
    print(f"\n{show.wrapped(WHY if exact else WRONG, width())}\n", flush=True)
    return 0 if exact else 1


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the same embedding model for a process that runs elsewhere and reads no `.env`."""
    return {
        "TWIN_OWNER": SAMPLE_AUTHOR,
        "EMBEDDING_MODEL": settings.embedding_model,
        "EMBEDDING_PATH": str(settings.embedding_path or ""),
        "EMBEDDING_CACHE": str(settings.embedding_cache or ""),
    }


def work(system: RunningSystem, todo: list[Write]) -> tuple[int, Acknowledged]:
    """Send the writes while the system is killed; return how many events came again, and what was acknowledged."""
    names = {write.document_id: write.name for write in todo}
    expected = len(names) - sum(write.document is None for write in todo)
    with closing(Client(located(system))) as of_writer, closing(Client(located(system))) as client:
        writer = Writer(todo, of_writer)
        demo = Demo(system, writer, names, expected, client)
        demo.run()
    return demo.redelivered, writer.acknowledged


def located(system: RunningSystem) -> Callable[[], tuple[str, str]]:
    """Return what says where the system is now; it waits while there is none."""
    folder = DataFolder(system.data)

    def where() -> tuple[str, str]:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            owner = folder.owner()
            if owner is not None and owner.url is not None:
                return owner.url, folder.key or ""
            time.sleep(LOOK_SECONDS / 2)
        message = f"the system did not come back; its last lines:\n{system.log[-2000:]}"
        raise CommandError(message)

    return where


def main() -> int:
    """Run the demo; Ctrl-C ends it and everything that it started."""
    signal.signal(signal.SIGINT, _interrupt_once)
    signal.signal(signal.SIGTERM, _interrupt_once)
    try:
        return demo()
    except KeyboardInterrupt:
        say("\nstopped; nothing is left running, and the data are removed")
        return INTERRUPTED
    except (PlatformError, RuntimeError) as error:  # the latter: it did not become ready
        say(str(error))
        return 1


def _is_quiet(seen: SystemStatus) -> bool:
    return seen.captured and not seen.waiting and not seen.reemissions


def _interrupt_once(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Clean up, and let nothing interrupt that."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
