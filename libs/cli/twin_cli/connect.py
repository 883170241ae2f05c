"""Which system a command speaks to: TWIN_URL, the data folder's owner, or one that it runs itself meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

from twin_cli.client import Client
from twin_cli.data_folder import DataFolder
from twin_cli.errors import CommandError, FolderTaken, KeyMissing
from twin_cli.settings import Settings
from twin_platform.records.open import open_record_store
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import Clock, SystemClock
from twin_platform.telemetry.logs import Logger

GRACE_SECONDS = 30.0
"""A command whose system ended waits so long for another one, as `twin up` starts, before it goes on alone."""
FIRST_GRACE_SECONDS = 5.0
"""The same where the command itself has not met that system, which ended without a word."""
RETRY_SECONDS = 0.1
QUIET_SECONDS = 3.0

Serve = Callable[[DataFolder], AbstractContextManager[str]]
"""Runs a system over a folder that this process owns; yields its URL."""


@contextmanager
def connected(settings: Settings, logger: Logger, say: Callable[[str], None]) -> Iterator[Client]:
    """Yield a client of the system that this command is about."""

    def serve(folder: DataFolder) -> AbstractContextManager[str]:
        from twin_cli.launch import running_system  # noqa: PLC0415 - takes 2 s that a client of another process saves

        return running_system(folder, settings, 0, logger, say)

    with ExitStack() as held:
        locate = _remote(settings) if settings.twin_url else Local(DataFolder(settings.twin_data), serve, held, say)
        with closing(Client(locate, say)) as client:
            yield client


@contextmanager
def own_records(settings: Settings) -> Iterator[RecordStore]:
    """Yield the records of a data folder on which no system runs; it is taken meanwhile.

    Raises:
        CommandError: there is no system in the folder.
    """
    folder = DataFolder(settings.twin_data)
    if folder.key is None:
        message = f"there is no system in {str(folder.path)!r} yet; `twin up` makes one"
        raise CommandError(message)
    with folder, open_record_store(f"sqlite://{folder.path}/records.db") as records:
        yield records


class Local:
    """Finds the system of a data folder; where nobody serves it, this process does from then on.

    Args:
        folder: whose system it is.
        serve: starts a system here.
        held: ends what was started here.
        say: told once, when an owner is waited for longer than usual.
        clock: measures patience.
        wait: passes time between two looks.
    """

    def __init__(
        self,
        folder: DataFolder,
        serve: Serve,
        held: ExitStack,
        say: Callable[[str], None],
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder, self._serve, self._held, self._say, self._wait = folder, serve, held, say, wait
        self._clock = clock or SystemClock()
        self._own: str | None = None
        self._met = False

    def __call__(self) -> tuple[str, str]:
        """Return URL and key; waits while an owner starts, or is being started again."""
        began = self._clock.monotonic()
        told = False
        while self._own is None:
            owner = self._folder.owner()
            if owner is not None and owner.url is not None:
                self._met = True
                return owner.url, self._folder.key or ""
            waited = self._clock.monotonic() - began
            if owner is None and waited >= self._grace():
                self._become_owner()
                continue
            if waited > QUIET_SECONDS and not told:
                self._say(
                    f"waiting for process {owner.pid}, which is starting on {str(self._folder.path)!r}"
                    if owner
                    else f"nobody serves {str(self._folder.path)!r} any more; going on alone if that stays so"
                )
                told = True
            self._wait(RETRY_SECONDS)
        return self._own, self._folder.key or ""

    def _grace(self) -> float:
        if self._met:
            return GRACE_SECONDS
        return FIRST_GRACE_SECONDS if self._folder.lost_its_owner else 0.0

    def _become_owner(self) -> None:
        try:
            self._folder.take()
        except FolderTaken:
            return  # somebody was faster: speak to them
        self._held.callback(self._folder.release)
        self._own = self._held.enter_context(self._serve(self._folder))


def _remote(settings: Settings) -> Callable[[], tuple[str, str]]:
    url = str(settings.twin_url).rstrip("/")
    if settings.twin_api_key is None:
        raise KeyMissing(url)
    key = settings.twin_api_key.get_secret_value().strip()
    return lambda: (url, key)
