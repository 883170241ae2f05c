"""Settings of the `twin` command and of everything it launches; each is documented in `.env.example`."""

import getpass
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from twin_platform.embedding.settings import EmbedderChosen
from twin_platform.log.settings import LogChosen
from twin_platform.settings import HttpUrl, Key, LocalPath
from twin_rag_api.settings import ModelChosen


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "Owner"


class Settings(EmbedderChosen, LogChosen, ModelChosen):
    """Names are the fields' in upper case."""

    model_config = SettingsConfigDict(populate_by_name=True)

    twin_data: LocalPath = Path("~/.llm-twin")
    """Folder of the embedded system: documents, log, vectors, key."""
    twin_url: HttpUrl | None = None
    """A running system to speak to; without it the data folder's owner."""
    twin_api_key: Key | None = None
    """Key for `twin_url`."""
    twin_owner: str = Field(default_factory=_login, min_length=1, max_length=200)
    """Whose texts these are where a document names no author, until `twin author set` names somebody."""
    rag_api_host: str = "127.0.0.1"
    """Address that the HTTP API listens on."""
    rag_api_port: int = Field(default=8787, ge=0, le=65535)
    """Its port; 0 takes any free one."""
    crawler_allow_hosts: str = ""
    """Hosts that may be crawled wherever they are, separated by commas: `wiki.local`, `127.0.0.1:8080`."""
