"""Settings of a flow that runs as a process of its own; each is documented in `.env.example`."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from twin_platform.embedding.settings import EmbedderChosen
from twin_platform.log.settings import LogChosen
from twin_platform.telemetry.server import Listening


class Settings(EmbedderChosen, LogChosen, Listening):
    """Names are the fields' in upper case, `FEATURE_STREAM_` in front."""

    model_config = SettingsConfigDict(env_prefix="FEATURE_STREAM_")

    documents_url: str
    """The document store that claim checks are redeemed at."""
    records_url: str
    """The record store that the flow keeps its own records in, and asks for re-emissions by."""
    log_url: str
    """The event log that is consumed."""
    features_url: str
    """The feature store that both snapshots are written to."""
    flow_index: int = Field(default=0, ge=0, validation_alias="FLOW_INDEX")
    """Which of the flows this is."""
    flow_count: int = Field(default=1, ge=1, validation_alias="FLOW_COUNT")
    """How many flows there are; this one takes the partitions p with p mod count = index."""

    @model_validator(mode="after")
    def _flows_fit(self) -> Self:
        if self.flow_index >= self.flow_count:
            message = f"FLOW_INDEX {self.flow_index} is none of FLOW_COUNT {self.flow_count} flows, counted from 0"
            raise ValueError(message)
        if self.flow_count > self.log_partitions:
            message = (
                f"FLOW_COUNT {self.flow_count} is more than LOG_PARTITIONS {self.log_partitions}: a flow would have "
                "nothing to read; set it lower, or change the number of partitions as the runbook says"
            )
            raise ValueError(message)
        return self
