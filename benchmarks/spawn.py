"""Processes that cannot outlive who started them, and waiting for what they do, each time with a deadline."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

POLL_SECONDS = 0.02

_MORTAL = (
    "import ctypes, os, sys; c = ctypes.CDLL(None); hasattr(c, 'prctl') and c.prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) or os._exit(1); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)
"""Has Linux kill the process when the thread that started it ends (PR_SET_PDEATHSIG), then becomes the program."""


def wait_until(holds: Callable[[], bool], deadline: float, what: Callable[[], str]) -> None:
    """Poll until `holds()`; `what` says after the deadline what was seen instead."""
    end = time.monotonic() + deadline
    while not holds():
        if time.monotonic() > end:
            message = f"not within {deadline:g} s: {what()}"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)


def throughout(seconds: float, holds: Callable[[], bool]) -> None:
    """Let so much time pass; raises at once where `holds()` does not all the while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not holds():
            message = f"it did not last {seconds:g} s"
            raise RuntimeError(message)
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Return a port of this machine that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Spawner:
    """Starts processes that cannot outlive this one, however it ends.

    A child asks to die with the thread that started it, so one thread starts them all.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "spawner")

    def start(self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start this Python with `arguments`; what it says is appended to `log`."""
        return self._thread.submit(self._start, arguments, environment, log).result()

    def close(self) -> None:
        """End the thread, and with it whatever still runs."""
        self._thread.shutdown()

    @staticmethod
    def _start(arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-ISc", _MORTAL, str(os.getpid()), *arguments]
        with log.open("ab") as said:  # of its own session: a Ctrl-C is for who tests, not for what is tested
            return subprocess.Popen(
                command,
                env=environment,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
