"""Settings of a cdc that runs as a process of its own; each is documented in `.env.example`."""

from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "CDC_"


class Settings(BaseSettings):
    """Read once from the environment and `.env`; passed down as values. An empty one is as if it were not there."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    documents_url: str
    """The document store whose changes are published."""
    records_url: str
    """The record store that the position and the requests for re-emission stand in."""
    log_url: str
    """The event log that is published to."""
