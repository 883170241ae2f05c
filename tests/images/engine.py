"""The Docker engine and Compose, as the tests of the images use them."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_SECONDS = 1800
_LAST_LINES = 40
_CHECKS_KEPT = 5
"""So many health checks the engine remembers, those from before a restart among them."""


class Failed(Exception):
    """A command that ended otherwise than it should, or a promise that was not kept."""


@dataclass(frozen=True)
class Container:
    """One container as the engine describes it."""

    service: str
    id: str
    about: dict[str, Any]

    @property
    def health(self) -> str:
        state = self.about["State"]
        return str(state.get("Health", {}).get("Status", state["Status"]))

    @property
    def seconds_to_healthy(self) -> float | None:
        """Seconds from its start to its first good health check; None where that is not known any more."""
        started = _seconds(self.about["State"]["StartedAt"])
        log: list[dict[str, Any]] = self.about["State"].get("Health", {}).get("Log") or []
        if len(log) == _CHECKS_KEPT and _seconds(log[0]["Start"]) > started:
            return None
        ends = (_seconds(one["End"]) for one in log if one["ExitCode"] == 0)
        return min((end - started for end in ends if end > started), default=None)


@dataclass(frozen=True)
class Engine:
    """Runs its commands in the repository's root, with this environment on top of the present one."""

    environment: Mapping[str, str]

    def run(self, *command: str, seconds: float = _SECONDS) -> str:
        """Return what a command wrote to its standard output; raises `Failed` with its last lines."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-_LAST_LINES:])
            message = f"{' '.join(command)} ended with {done.returncode}:\n{said}"
            raise Failed(message)
        return done.stdout

    def compose(self, *words: str) -> str:
        return self.run("scripts/compose", *words)

    def containers(self) -> Iterator[Container]:
        """Yield every container of the project that runs."""
        if ids := self.compose("ps", "--quiet").split():
            for about in json.loads(self.run("docker", "inspect", *ids)):
                if about["State"]["Running"]:
                    yield Container(about["Config"]["Labels"]["com.docker.compose.service"], about["Id"], about)

    def stop(self, container: Container, seconds: int) -> tuple[float, int]:
        """Stop it, killing it after so many seconds; return how long that took, and its exit status."""
        began = time.monotonic()
        self.run("docker", "stop", "--time", str(seconds), container.id)
        took = time.monotonic() - began
        return took, int(self.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container.id))


def _seconds(moment: str) -> float:
    """Return an instant that the engine tells in nanoseconds, with `Z` or the zone's offset behind them."""
    seconds, _, rest = moment.partition(".")
    zone = rest.lstrip("0123456789").replace("Z", "+00:00")
    return datetime.fromisoformat(seconds + zone).timestamp() + float(
        f"0.{rest[: len(rest) - len(rest.lstrip('0123456789'))]}"
    )
