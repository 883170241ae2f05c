"""Faults on demand: what the stand-in does wrong until it is told otherwise."""

import re
import threading
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Fault(BaseModel):
    """Holds for requests whose path matches; `times` of them, or all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = ""
    """A regular expression, found somewhere in method and path: `POST /collections/documents__1/points/batch`."""
    times: int | None = None
    status: int | None = None
    """Answer with this status, and do nothing."""
    retry_after: int | None = None
    latency: float = 0.0
    """Seconds to wait before anything is done."""
    poison: str | None = None
    """Refuse (400) a request whose body holds this text."""
    cut: Literal["undone", "halfway"] | None = None
    """Break the connection, with nothing done; or in the middle of the answer to what was done."""


@dataclass
class Faults:
    """The present fault, and how many requests it has met."""

    _fault: Fault = field(default_factory=Fault)
    _left: int | None = 0
    met: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, fault: Fault) -> None:
        """Do this wrong from now on, and count anew."""
        with self._lock:
            self._fault, self._left, self.met = fault, fault.times, 0

    def of(self, request: str, body: bytes) -> Fault:
        """Return what to do wrong with this request; nothing, where the fault is not about it."""
        with self._lock:
            fault = self._fault
            about = self._left != 0 and re.search(fault.path, request) is not None
            if not about or (fault.poison is not None and fault.poison.encode() not in body):
                return Fault()
            self.met += 1
            self._left = None if self._left is None else self._left - 1
            return fault
