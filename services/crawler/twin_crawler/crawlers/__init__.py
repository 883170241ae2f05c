"""One strategy per kind of source."""
