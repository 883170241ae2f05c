"""A site's robots.txt: what it asks not to be fetched, and how slowly."""

from protego import Protego

AGENT = "llm-twin"
"""The name that robots.txt knows this crawler by."""

_MAX_CHARACTERS = 500 * 1024
_MOST_WORK = 2_000_000


class Rules:
    """What one robots.txt says to this crawler. Whatever cannot be read forbids nothing.

    Only the first 500 KiB count, as RFC 9309 has it; a file that names thousands of agents above thousands of rules
    counts as unreadable: reading it would take minutes.
    """

    def __init__(self, text: str = "") -> None:
        text = text[:_MAX_CHARACTERS]
        agents, lines = text.lower().count("agent"), text.count("\n") + text.count("\r")
        self._rules = Protego.parse("" if agents * lines > _MOST_WORK else text)

    def allow(self, url: str) -> bool:
        """Return whether the site lets us fetch `url`."""
        return self._rules.can_fetch(url, AGENT)

    @property
    def delay(self) -> float:
        """Return the seconds it wants between two requests; 0 where it does not say."""
        return max(self._rules.crawl_delay(AGENT) or 0.0, 0.0)
