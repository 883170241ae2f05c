"""What the flow tells of itself; written by its thread, read by any."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass
class FlowStatus:
    """State and freshness of one flow process."""

    state: Literal["starting", "running", "degraded", "stopped"] = "starting"
    detail: str | None = None
    seconds_to_searchable: float | None = None
    """Commit to searchable of the slowest document of the last commit that had a live one."""
    chunks_embedded: int = 0
    """Given to the embedder since the start; a chunk that kept the vector of an earlier revision is not among them."""

    def committed(self, committed_at: Sequence[datetime], now: datetime) -> None:
        """Take note of a commit of documents that the store committed at these moments."""
        if committed_at:
            self.seconds_to_searchable = max(0.0, (now - min(committed_at)).total_seconds())
