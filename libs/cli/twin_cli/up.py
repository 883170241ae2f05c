"""`twin up`: a small parent that starts its one child again when that dies."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from twin_cli.data_folder import DataFolder
from twin_cli.settings import Settings
from twin_cli.terminal import say
from twin_platform.errors import PermanentError
from twin_platform.telemetry.logs import Logger

REFUSED = 3
"""Exit status of a child whose settings or folder are a mistake: trying again changes nothing."""
LASTED_SECONDS = 60.0
FIRST_BACKOFF = 0.2
LAST_BACKOFF = 30.0
STOP_SECONDS = 20.0


def run_parent(logger: Logger) -> int:
    """Keep one child running until a signal stops both; return the exit status.

    Only the first child may refuse to start: one that takes the place of a dead one can find the folder or the port
    taken for a moment, by a command that went on alone meanwhile.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _on_signals(signal.default_int_handler)
        backoff = FIRST_BACKOFF
        endings = {0, REFUSED}
        while True:
            began = time.monotonic()
            status = _run_child_process()
            if status in endings:
                return status
            endings = {0}
            if time.monotonic() - began > LASTED_SECONDS:
                backoff = FIRST_BACKOFF
            logger.event("child_died", status=status, again_in_seconds=backoff)
            time.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF)
    return 0


def run_child(settings: Settings, logger: Logger) -> int:
    """Run the system until a signal or the parent's end; return the exit status."""
    from twin_cli.launch import running_system  # noqa: PLC0415 - takes a second that the parent need not wait for

    with contextlib.suppress(KeyboardInterrupt):
        _on_signals(_interrupt_once)
        try:
            with (
                DataFolder(settings.twin_data) as folder,
                running_system(folder, settings, settings.rag_api_port, logger, say) as url,
            ):
                say(f"LLM Twin is up at {url} (routes: {url}/docs, data: {folder.path}); Ctrl-C stops it")
                _wait_for_stop()
                say("stopping")
        except PermanentError as error:
            say(str(error))
            return REFUSED
    return 0


def _run_child_process() -> int:
    """Start a child and return its exit status; it does not outlive an interrupt.

    Its standard input is a pipe whose end is here: should this process be killed, the child reads its end and stops by
    itself, so the data folder is never held by an orphan. It has a process group of its own, because Ctrl-C goes to a
    whole group and one process must decide.
    """
    command = [sys.executable, "-P", "-m", "twin_cli", "up", "--child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0) as child:  # noqa: S603 - this very program
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                child.kill()
                child.wait()
            raise


def _on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, handler)


def _interrupt_once(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop, and let nothing interrupt that; a parent that loses patience kills."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


def _wait_for_stop() -> None:
    """Wait for a signal, or for the end of standard input: the parent is gone."""
    with contextlib.suppress(KeyboardInterrupt, OSError):
        while os.read(0, 1024):
            pass
