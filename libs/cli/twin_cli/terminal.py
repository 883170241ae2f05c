"""How the command speaks to the person in front of it; answers go to standard output, the rest to standard error."""

import contextlib
import shutil
import sys
from datetime import datetime

from twin_platform.telemetry.logs import JsonLogger, Logger


def say(line: str) -> None:
    """Print a line for the person; whoever read it may be gone before us."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def width() -> int | None:
    """Return the terminal's columns, None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def logger_of_up() -> Logger:
    """Return the logger of a running system: lines to read in a terminal, JSON where a program collects them."""
    return TerminalLogger() if sys.stderr.isatty() else JsonLogger("twin")


def logger_of_command() -> Logger:
    """Return the logger of a short command: its lines would bury the answer."""
    return NoLogger()


class NoLogger:
    """Says nothing."""

    def event(self, name: str, **fields: str | float | None) -> None:
        """Say nothing."""


class TerminalLogger:
    """Writes one line per fact, the time of day first."""

    def event(self, name: str, **fields: str | float | None) -> None:
        """Write the line at once."""
        told = "  ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
        say(f"{datetime.now().astimezone():%H:%M:%S}  {name}  {told}")
