"""Settings of a crawler that runs as a process of its own; each is documented in `.env.example`."""

import socket

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from twin_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Names are the fields' in upper case, `CRAWLER_` in front."""

    model_config = SettingsConfigDict(env_prefix="CRAWLER_")

    documents_url: str
    """The document store that it writes to."""
    records_url: str
    """The record store that jobs stand in."""
    key: SecretStr = Field(min_length=16)
    """What its HTTP routes want as `Authorization: Bearer …`."""
    host: str = "127.0.0.1"
    """Address that its HTTP service listens on."""
    port: int = Field(default=8788, ge=0, le=65535)
    """Its port."""
    owner: str = Field(default="Owner", min_length=1, max_length=200)
    """Whose texts these are where nothing else says, until `twin author set` names somebody."""
    name: str = Field(default_factory=socket.gethostname, min_length=1)
    """Under which it claims jobs: another one for each crawler; without it the machine's name."""
    allow_hosts: str = ""
    """Hosts that may be crawled wherever they are, separated by commas: `wiki.local`, `127.0.0.1:8080`."""
