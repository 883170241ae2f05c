"""How many bytes of documents one epoch may take: enough to be efficient, little enough to stay fresh."""

from dataclasses import dataclass

FIRST_BYTES = 16 * 1024
LEAST_BYTES = 2 * 1024
MOST_BYTES = 4 * 1024 * 1024
FAST_SECONDS = 0.3
SLOW_SECONDS = 0.6
EMBED_SECONDS = 2.0


@dataclass
class ByteBudget:
    """Work is bytes, not messages: a thousand posts are a second of embedding, two thousand articles are 23 minutes.

    Doubled while a full epoch takes under 0.3 s, halved above 0.6 s, never above what the embedder has shown to embed
    in 2 s. An epoch that took less than half of its budget says nothing and changes nothing.
    """

    bytes: int = FIRST_BYTES
    _embedder_bytes_per_second: float | None = None

    def embedded(self, size: int, seconds: float) -> None:
        """Learn from one call of the embedder."""
        if size >= LEAST_BYTES and seconds > 0:
            self._embedder_bytes_per_second = size / seconds
            self.bytes = min(self.bytes, self._most())

    def spent(self, size: int, seconds: float) -> None:
        """Learn from one epoch: `size` bytes handed out took `seconds` until committed."""
        if seconds > SLOW_SECONDS:
            self.bytes = max(LEAST_BYTES, self.bytes // 2)
        elif seconds < FAST_SECONDS and size * 2 >= self.bytes:
            self.bytes = min(self.bytes * 2, self._most())

    def _most(self) -> int:
        if self._embedder_bytes_per_second is None:
            return MOST_BYTES
        return max(LEAST_BYTES, min(MOST_BYTES, int(self._embedder_bytes_per_second * EMBED_SECONDS)))
