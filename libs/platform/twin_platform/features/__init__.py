"""The two snapshots: clean documents and embedded chunks."""
