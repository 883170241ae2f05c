"""Reasoning that a model writes into its reply, between `<think>` and `</think>`."""

from typing import Final

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class UnopenedThoughts(ValueError):
    """A reply closes reasoning that it never opened: all of it so far was reasoning."""


class Thoughts:
    """Leaves reasoning out of a text that comes in pieces; a tag may be split between two of them."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False

    def feed(self, text: str) -> str:
        """Return what of the text so far is surely said.

        Raises:
            UnopenedThoughts: some chat templates put the opening tag into the prompt.
        """
        self._held += text
        said = ""
        while True:
            tag = _CLOSE if self._thinking else _OPEN
            before, found, after = self._held.partition(tag)
            if not self._thinking and _CLOSE in before:
                raise UnopenedThoughts
            if not found:
                break
            said += "" if self._thinking else before
            self._held, self._thinking = after, not self._thinking
        kept = max(_begun(self._held, _OPEN), _begun(self._held, _CLOSE))
        whole = len(self._held) - kept
        said += "" if self._thinking else self._held[:whole]
        self._held = self._held[whole:]
        return said

    def end(self) -> str:
        """Return what was held back in case that it became a tag."""
        return "" if self._thinking else self._held


def _begun(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `tag`."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
