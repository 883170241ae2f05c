"""Store of raw documents and the feed of its changes."""
