"""How many bytes of documents one epoch may take: enough to be efficient, little enough to stay fresh."""

from dataclasses import dataclass, field

FIRST_BYTES = 16 * 1024
LEAST_BYTES = 2 * 1024
MOST_BYTES = 4 * 1024 * 1024
EMBED_SECONDS = 2.0


@dataclass
class ByteBudget:
    """Work is bytes, not messages: a thousand posts are a second of embedding, two thousand articles are 23 minutes.

    Doubled while a full epoch takes under `fast` seconds, halved above `slow`, never above what the embedder has shown
    to embed in 2 s. An epoch that took less than half of its budget says nothing and changes nothing.
    """

    fast: float
    slow: float
    bytes: int = FIRST_BYTES
    _embedder_bytes_per_second: float | None = None

    def embedded(self, size: int, seconds: float) -> None:
        """Learn from one call of the embedder."""
        if size >= LEAST_BYTES and seconds > 0:
            self._embedder_bytes_per_second = size / seconds
            self.bytes = min(self.bytes, self._most())

    def spent(self, size: int, seconds: float) -> None:
        """Learn from one epoch: `size` bytes handed out took `seconds` until committed."""
        if seconds > self.slow:
            self.bytes = max(LEAST_BYTES, self.bytes // 2)
        elif seconds < self.fast and size * 2 >= self.bytes:
            self.bytes = min(self.bytes * 2, self._most())

    def _most(self) -> int:
        if self._embedder_bytes_per_second is None:
            return MOST_BYTES
        return max(LEAST_BYTES, min(MOST_BYTES, int(self._embedder_bytes_per_second * EMBED_SECONDS)))


@dataclass(frozen=True)
class Budgets:
    """Short epochs where live documents wait for somebody else's work, long ones where they wait for each other."""

    live: ByteBudget = field(default_factory=lambda: ByteBudget(fast=0.9, slow=1.8))
    """Whole live documents. The embedder sorts by length, and long epochs have more equal lengths: measured on 76
    articles, epochs of 1.3 s embed 4 % faster than those of 0.4 s."""
    background: ByteBudget = field(default_factory=lambda: ByteBudget(fast=0.3, slow=0.6))
    """Refill, and the slices of a document that is bigger than an epoch."""

    def embedded(self, size: int, seconds: float) -> None:
        """Learn from one call of the embedder, whatever it was for."""
        self.live.embedded(size, seconds)
        self.background.embedded(size, seconds)
