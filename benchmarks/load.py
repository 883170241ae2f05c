"""A seeded load of creates, edits and deletes, noted in a ledger: as a part of a test, or a process of its own.

`python -m benchmarks.load --documents-url sqlite:///… --ledger FILE --count 1000 --rate 50` is what a test kills.
"""

import argparse
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.generated import markdown, post
from benchmarks.ledger import Ledger
from benchmarks.targets import AskAgain, StoreTarget, Target, Unanswered
from twin_contracts.base import DocumentId
from twin_contracts.documents import (
    AuthorRef,
    Raw,
    RawArticle,
    RawCode,
    RawPost,
    Source,
    content_hash,
    document_id_of_client,
)
from twin_platform.documents.open import open_document_store
from twin_platform.telemetry.clock import SystemClock

EDITS, DELETES = 0.4, 0.1
"""Shares of the writes that change or delete a document that is there; the rest creates, also what was deleted."""
SIZES = (60,) * 30 + (400,) * 40 + (2_500,) * 20 + (12_000,) * 8 + (80_000,) * 2
"""Letters of a document."""
REPEAT_SECONDS = 0.05
AUTHOR = AuthorRef.of("Load Writer")


@dataclass
class Load:
    """Writes one document after the other, the same ones for the same seed, and notes them in the ledger.

    A write that is never answered stays uncertain, and its document is left alone from then on.
    """

    seed: int
    target: Target
    ledger: Ledger
    rate: float | None = None
    """Writes a second; None writes as fast as they are acknowledged."""
    documents: int = 300
    """So many ids are written to, over and over."""
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Begin with no document."""
        self._chance = random.Random(self.seed)  # noqa: S311 - the same writes in every run
        self._present: list[int] = []
        self._absent = list(range(self.documents))
        self._edition = 0
        self.written = 0
        self._failure: BaseException | None = None

    def run(self, count: int | None = None) -> None:
        """Write `count` times, or until `stop` is set."""
        following = time.monotonic()
        done = 0
        while not self.stop.is_set() and done != count:
            self._step()
            done += 1
            if self.rate is not None:
                following += 1 / self.rate
                self.stop.wait(following - time.monotonic())

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Write in a thread of its own until left; raises what ended the writing before."""
        thread = threading.Thread(target=self._run_thread, name=f"load {self.seed}", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            thread.join()
            self.stop.clear()
        self._raise_failure()

    def wait_for(self, count: int, deadline: float = 60.0) -> None:
        """Wait until so many more writes were acknowledged; raises at once what ended the writing."""
        wanted, end = self.written + count, time.monotonic() + deadline
        while self.written < wanted:
            self._raise_failure()
            if time.monotonic() > end:
                message = f"{wanted - self.written} of {count} writes were not acknowledged within {deadline:g} s"
                raise TimeoutError(message)
            time.sleep(0.01)

    def _run_thread(self) -> None:
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _step(self) -> None:
        self._edition += 1
        chance = self._chance.random()
        if self._present and (chance < EDITS + DELETES or not self._absent):
            number = self._present.pop(self._chance.randrange(len(self._present)))
            document = None if chance < DELETES else random_document(number, self._edition, self._chance)
            self._write(number, document)
        elif self._absent:
            number = self._absent.pop(self._chance.randrange(len(self._absent)))
            self._write(number, random_document(number, self._edition, self._chance))
        else:
            message = f"all of the {self.documents} documents have a write that was never answered"
            raise ValueError(message)

    def _write(self, number: int, document: Raw | None) -> None:
        document_id, held = id_of(number), content_hash(document) if document else None
        self.ledger.begin(document_id, held)
        while not self.stop.is_set():
            try:
                if document:
                    self.target.put(document)
                else:
                    self.target.delete(document_id)
            except AskAgain:
                self.stop.wait(REPEAT_SECONDS)
            except Unanswered:
                return
            else:
                self.ledger.acknowledge(document_id, held)
                self.written += 1
                (self._present if document else self._absent).append(number)
                return


def id_of(number: int) -> DocumentId:
    """Return the id of one of the load's documents."""
    return document_id_of_client(f"load-{number}")


def random_document(number: int, edition: int, chance: random.Random) -> Raw:
    """Return a post, an article with headings or a source file; a few are above the claim-check limit.

    Of a hundred numbers each size has its share, whatever is edited: what is held grows with the documents only.
    """
    size = SIZES[number * 37 % len(SIZES)]  # so that a few documents are not all small
    shared = {"id": id_of(number), "author": AUTHOR, "source": Source(platform="load")}
    match chance.choices(("post", "article", "code"), (60, 25, 15))[0]:
        case "post":
            return RawPost.model_validate(shared | {"text": post(number, size, edition).text})
        case "article":
            text = markdown(chance, size)
            return RawArticle.model_validate(shared | {"title": f"Article {number}, edition {edition}", "text": text})
        case _:
            function = "def step_{0}(value: int) -> int:\n    return value * {0} + {1}\n\n\n"
            text = "".join(function.format(step, edition) for step in range(1 + size // len(function)))
            place = {"repository": "load", "path": f"load/module_{number}.py", "language": "python"}
            return RawCode.model_validate(shared | place | {"text": text})


def main() -> int:
    """Write to a store until the count is reached or a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--documents-url", required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int)
    parser.add_argument("--rate", type=float)
    arguments = parser.parse_args()
    with open_document_store(arguments.documents_url, SystemClock()) as documents, Ledger(arguments.ledger) as ledger:
        Load(arguments.seed, StoreTarget(documents), ledger, arguments.rate).run(arguments.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
