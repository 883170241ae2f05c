"""How the command speaks to the person in front of it; answers go to standard output, the rest to standard error."""

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from datetime import datetime

from rich.console import Console

from twin_platform.telemetry.logs import JsonLogger, Logger

_CONTROLS = [*range(9), *range(11, 32), 127, *range(128, 160), *range(0xE0000, 0xE0080)]
"""Control characters but tab and newline, and tags: nobody sees them, and a terminal obeys some."""
_DIRECTIONS = [0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
"""What turns the order of letters around, or ends a line: shown as it is written in source code."""
_HARMLESS = dict.fromkeys(_CONTROLS) | {code: f"\\u{code:04x}" for code in _DIRECTIONS}


def harmless(text: str) -> str:
    """Return `text` as it may be printed: it cannot steer the terminal, and reads in the order in which it stands."""
    return text.translate(_HARMLESS)


def say(line: str) -> None:
    """Print a line for the person; whoever read it may be gone before us."""
    with contextlib.suppress(OSError):
        print(harmless(line), file=sys.stderr, flush=True)


def tell(line: str) -> None:
    """Print a line of the answer."""
    print(harmless(line), flush=True)


def saying(console: Console) -> Callable[[str], None]:
    """Return what prints a line for the person above the console's progress bars."""
    return lambda line: console.print(harmless(line))


def print_anything() -> None:
    """Let a terminal that cannot show a character be given its number instead: a document may hold any."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
