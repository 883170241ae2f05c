"""Settings of a REST API that runs as a process of its own; each is documented in `.env.example`."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from twin_platform.embedding.settings import EmbedderChosen
from twin_platform.log.settings import LogChosen
from twin_platform.settings import HttpUrl, Key, ServiceSettings
from twin_rag_api.adapters.open_model import ModelSettings


class ModelChosen(ServiceSettings):
    """Mixed into the settings of what answers."""

    llm_url: HttpUrl | None = Field(default=None, validation_alias="LLM_URL")
    """An OpenAI-compatible server that writes answers and drafts; without it an Ollama on its usual local port."""
    llm_model: str | None = Field(default=None, validation_alias="LLM_MODEL")
    """Which of its models; without it the only one that it serves."""
    llm_api_key: Key | None = Field(default=None, validation_alias="LLM_API_KEY")
    """Its key, where it wants one."""
    llm_context: int = Field(default=3000, ge=500, validation_alias="LLM_CONTEXT")
    """Tokens that a prompt may have; some local servers cut silently at 4,096, the answer included."""

    @property
    def language_model(self) -> ModelSettings:
        """Return what `open_model` is given."""
        return ModelSettings(
            url=str(self.llm_url) if self.llm_url else None,
            model=self.llm_model,
            key=self.llm_api_key.get_secret_value() if self.llm_api_key else None,
            context=self.llm_context,
        )


class Settings(EmbedderChosen, LogChosen, ModelChosen):
    """Names are the fields' in upper case, `RAG_API_` in front where they are the API's own."""

    model_config = SettingsConfigDict(env_prefix="RAG_API_")

    documents_url: str
    """The document store that it reads and writes."""
    records_url: str
    """The record store of keys, jobs and requests, by which it hears of the other processes, too."""
    log_url: str
    """The event log, of which it asks how much waits."""
    features_url: str
    """The feature store that it searches: a server, since a flow has it open, too."""
    key: SecretStr = Field(min_length=16)
    """What every route but health, metrics and docs wants as `Authorization: Bearer …`; it opens everything."""
    host: str = "127.0.0.1"
    """Address that the API listens on."""
    port: int = Field(default=8787, ge=0, le=65535)
    """Its port; 0 takes any free one."""
    owner: str = Field(default="Owner", min_length=1, max_length=200)
    """Whose texts these are where a document names no author, until `twin author set` names somebody."""

    @field_validator("features_url")
    @classmethod
    def _can_be_shared(cls, url: str) -> str:
        if url.startswith("edge:"):
            message = (
                "vectors in a folder are one process's alone, and a flow has them open; name a Qdrant server "
                "(http://host:6333) here and in FEATURE_STREAM_FEATURES_URL, or run everything in one process: twin up"
            )
            raise ValueError(message)
        return url
