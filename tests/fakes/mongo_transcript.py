"""A database handle that says what a real MongoDB 5.0 said: the transcripts of tests/data/mongodb, step by step.

It answers only what was recorded; any other command is a failure that names it. The stream keeps its token as the
driver does: of the last event handed out, and of the batch once that is used up.
"""

import threading
from collections import deque
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from bson.codec_options import CodecOptions
from bson.json_util import loads
from pymongo.errors import OperationFailure, WriteError

DATA = Path(__file__).parents[1] / "data" / "mongodb"
IDLE_SECONDS = 0.002
_LENGTH = "length of b"
"""What the recording says instead of a body that is too large for it."""
Step = Mapping[str, Any]


@cache
def transcript(name: str) -> tuple[Step, ...]:
    """Return a scenario's steps: `transcript("s02")`."""
    [path] = DATA.glob(f"{name}-*.json")
    return tuple(loads(path.read_text("utf-8")))


def events_of(name: str) -> list[Step]:
    """Return the change events that the driver gave out in a scenario, in order."""
    return [step["event"] for step in transcript(name) if "event" in step]


def errors_of(name: str) -> list[Step]:
    """Return what the driver raised in a scenario, in order."""
    return [step["error"] for step in transcript(name) if "error" in step]


class TranscriptDatabase:
    """The handle of one scenario's database."""

    name = "twin"

    def __init__(self, name: str) -> None:
        self.codec_options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
        self.client = TranscriptClient(self)
        self.asked: list[Step] = []
        """Every command that was sent, in order."""
        self.steps = transcript(name)

    def get_collection(self, name: str) -> "TranscriptCollection":
        return TranscriptCollection(self, name)

    def command(self, command: str, value: object = 1, **options: object) -> Mapping[str, Any]:
        """Answer as the server did when it was asked the same."""
        options.pop("codec_options", None)
        self.asked.append({command: value, **options})
        if command == "hello":
            return next(step["hello"] for step in self.steps if "hello" in step)
        return self.answer({command: value, **options})

    def answer(self, asked: Step) -> Mapping[str, Any]:
        """Return the recorded reply, or raise the recorded failure."""
        for step in self.steps:
            if _same(step.get("command", {}), asked):
                if "failure" in step:
                    _fail(step["failure"])
                reply: Mapping[str, Any] = step["reply"]
                return reply
        message = f"this was not recorded: {asked}"
        raise AssertionError(message)

    def watch(self, pipeline: object, *, start_after: Step | None = None, **options: object) -> "TranscriptStream":
        """Open the recorded stream that began at this token."""
        self.asked.append({"watch": pipeline, "start_after": start_after, **options})
        for index, step in enumerate(self.steps):
            stages = step.get("command", {}).get("pipeline")
            if stages is None or stages[0]["$changeStream"].get("startAfter") != start_after:
                continue
            if "resumeAfter" in stages[0]["$changeStream"]:
                continue
            if "reply" not in step:
                error = next(later["error"] for later in self.steps[index:] if "error" in later)
                _fail(step.get("failure") or error["details"])
            return TranscriptStream(step["reply"]["cursor"], self.steps[index:], start_after)
        message = f"no stream that begins after {start_after} was recorded"
        raise AssertionError(message)


class TranscriptClient:
    """The client that the handle belongs to."""

    def __init__(self, database: TranscriptDatabase) -> None:
        self._database = database
        self.closed = False

    def get_database(self, name: str, **concerns: object) -> TranscriptDatabase:
        assert {"write_concern", "read_concern"} <= concerns.keys(), name
        return self._database

    def close(self) -> None:
        self.closed = True


class TranscriptCollection:
    """A collection that holds nothing and refuses every write as the recorded server refused its first one."""

    def __init__(self, database: TranscriptDatabase, name: str) -> None:
        self._database, self._name = database, name

    def find_one(self, *_: object) -> None:
        return None

    def replace_one(self, *_: object, **__: object) -> NoReturn:
        details = next(step["error"]["details"] for step in self._database.steps if "error" in step)
        raise WriteError(details["errmsg"], details["code"], dict(details))


class TranscriptStream:
    """One recorded change stream; after its last batch it is as quiet as a collection that nobody writes to.

    Batches of documents that were too large to be kept are made again from the events that the driver gave out.
    """

    def __init__(self, cursor: Mapping[str, Any], steps: tuple[Step, ...], start_after: Step | None) -> None:
        self.resume_token = start_after
        self.alive = True
        self.over = False
        """Whether everything recorded was handed out."""
        self._batches = deque(
            step["reply"]["cursor"] for step in steps if step.get("command", {}).get("getMore") == cursor["id"]
        )
        self._events = deque(cursor["firstBatch"])
        if large := [step["event"] for step in steps if _LENGTH in (step.get("event", {}).get("fullDocument") or {})]:
            self._batches.append({"nextBatch": list(map(_whole, large)), "id": cursor["id"]})
        self._after_batch = cursor.get("postBatchResumeToken")
        self._quiet = threading.Event()
        if not self._events:
            self.resume_token = self._after_batch

    def try_next(self) -> Mapping[str, Any] | None:
        if not self._events and self._batches:
            batch = self._batches.popleft()
            self._events.extend(batch["nextBatch"])
            self._after_batch = batch.get("postBatchResumeToken")
            self.alive = batch["id"] != 0
        if not self._events:
            self.resume_token = self._after_batch or self.resume_token
            self.over = not self._batches
            self._quiet.wait(IDLE_SECONDS)
            return None
        event: Mapping[str, Any] = self._events.popleft()
        last = not self._events and self._after_batch is not None
        self.resume_token = self._after_batch if last else event["_id"]
        return event

    def close(self) -> None:
        self.alive = False


def _whole(event: Step) -> Step:
    """Return the event with a body of the length that the recording says."""
    return {**event, "fullDocument": {**event["documentKey"], "b": "x" * event["fullDocument"][_LENGTH]}}


def _same(recorded: Step, asked: Step) -> bool:
    """Return whether a recorded command is this one, but for what a reply does not depend on."""
    return bool(recorded) and _bare(recorded) == _bare(asked)


def _bare(command: Step) -> Step:
    left = {name.lower() if name == "buildinfo" else name: value for name, value in command.items()}
    left = {"buildinfo" if name == "buildInfo" else name: value for name, value in left.items()}
    where = dict(left.get("filter", {}))
    if isinstance(where.get("_id"), dict):
        where["_id"] = {name: value for name, value in where["_id"].items() if name != "$type"}
    bare = {name: value for name, value in left.items() if name not in {"batchSize", "writeConcern"}}
    return bare | {"filter": {name: value for name, value in where.items() if value != {}}}


def _fail(details: Mapping[str, Any]) -> NoReturn:
    raise OperationFailure(details["errmsg"], details["code"], dict(details))
