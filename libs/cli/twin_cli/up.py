"""`twin up`: a small parent that starts its one child again when that dies."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

from twin_cli.data_folder import DataFolder
from twin_cli.errors import CommandError
from twin_cli.launch import running_system
from twin_cli.settings import Settings
from twin_platform.telemetry.logs import Logger

REFUSED = 3
"""Exit status of a child that must not be started again: the mistake is in its settings or its folder."""
LASTED_SECONDS = 60.0
FIRST_BACKOFF = 0.2
LAST_BACKOFF = 30.0
STOP_SECONDS = 20.0


def run_parent(logger: Logger) -> int:
    """Keep one child running until a signal stops both; return the exit status.

    The child's standard input is a pipe whose end is here: should this process be killed, the child reads its end and
    stops by itself, so the data folder is never held by an orphan.
    """
    stopping = threading.Event()
    children: list[subprocess.Popen[bytes]] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()
        for child in children:
            child.terminate()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    backoff = FIRST_BACKOFF
    while True:
        began = time.monotonic()
        children[:] = [subprocess.Popen([sys.executable, "-m", "twin_cli", "up", "--child"], stdin=subprocess.PIPE)]
        if stopping.is_set():  # the signal came while the child was being started
            children[0].terminate()
        status = children[0].wait()
        if stopping.is_set() or status in {0, REFUSED}:
            return 0 if stopping.is_set() else status
        backoff = FIRST_BACKOFF if time.monotonic() - began > LASTED_SECONDS else min(backoff * 2, LAST_BACKOFF)
        logger.event("child_died", status=status, again_in_seconds=backoff)
        if stopping.wait(backoff):
            return 0


def run_child(settings: Settings, logger: Logger) -> int:
    """Run the system until a signal or the parent's end; return the exit status."""
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda _signal, _frame: stopping.set())
    threading.Thread(target=_watch_parent, args=(stopping,), daemon=True).start()
    try:
        with (
            DataFolder(settings.data) as folder,
            running_system(folder, settings, settings.rag_api_port, logger, _say) as url,
        ):
            _say(f"LLM Twin is up at {url} (data in {folder.path}); Ctrl-C stops it")
            stopping.wait()
            _say("stopping")
    except CommandError as error:
        _say(str(error))
        return REFUSED
    return 0


def _watch_parent(stopping: threading.Event) -> None:
    """Wait for the end of standard input: the parent is gone."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    stopping.set()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
