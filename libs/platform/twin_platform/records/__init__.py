"""Store of small records of our own."""
