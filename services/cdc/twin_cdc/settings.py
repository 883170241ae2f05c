"""Settings of a cdc that runs as a process of its own; each is documented in `.env.example`."""

from pydantic_settings import SettingsConfigDict

from twin_platform.log.settings import LogChosen
from twin_platform.telemetry.server import Listening


class Settings(LogChosen, Listening):
    """Names are the fields' in upper case, `CDC_` in front."""

    model_config = SettingsConfigDict(env_prefix="CDC_")

    documents_url: str
    """The document store whose changes are published."""
    records_url: str
    """The record store that the position and the requests for re-emission stand in."""
    log_url: str
    """The event log that is published to."""
