"""Which system a command speaks to: TWIN_URL, the data folder's owner, or one that it runs itself meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twin_cli.client import PATIENCE_SECONDS, Client
from twin_cli.data_folder import DataFolder
from twin_cli.errors import CommandError, FolderTaken
from twin_cli.launch import running_system
from twin_cli.settings import Settings
from twin_platform.telemetry.logs import Logger

RETRY_SECONDS = 0.1


class KeyMissing(CommandError):
    """TWIN_URL without TWIN_API_KEY."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"TWIN_URL is {url!r}, but TWIN_API_KEY is not set; set it to a key of that system")


@contextmanager
def connected(settings: Settings, logger: Logger, say: Callable[[str], None]) -> Iterator[Client]:
    """Yield a client of the system that this command is about."""
    if settings.twin_url is not None:
        with _client(_remote(settings)) as client:
            yield client
        return
    folder = DataFolder(settings.data)
    if folder.owner() is None:
        try:
            folder.take()
        except FolderTaken:
            pass  # somebody was faster: speak to them
        else:
            with (
                _released(folder),
                running_system(folder, settings, 0, logger, say) as url,
                _client(lambda: (url, folder.key or "")) as client,
            ):
                yield client
            return
    with _client(lambda: _owner_of(folder)) as client:
        yield client


@contextmanager
def _released(folder: DataFolder) -> Iterator[None]:
    """Release the folder at the end."""
    try:
        yield
    finally:
        folder.release()


@contextmanager
def _client(locate: Callable[[], tuple[str, str]]) -> Iterator[Client]:
    client = Client(locate)
    try:
        yield client
    finally:
        client.close()


def _remote(settings: Settings) -> Callable[[], tuple[str, str]]:
    url = str(settings.twin_url).rstrip("/")
    if settings.twin_api_key is None:
        raise KeyMissing(url)
    key = settings.twin_api_key.get_secret_value()
    return lambda: (url, key)


def _owner_of(folder: DataFolder) -> tuple[str, str]:
    """Return the owner's address, waiting while it starts or is being started again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        owner = folder.owner()
        if owner is not None and owner.url is not None and folder.key is not None:
            return owner.url, folder.key
        if time.monotonic() > deadline:
            message = (
                f"nobody serves the data folder {str(folder.path)!r} any more; start `twin up` and repeat the command: "
                "what was stored so far is kept"
            )
            raise CommandError(message)
        time.sleep(RETRY_SECONDS)
