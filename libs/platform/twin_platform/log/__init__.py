"""Partitioned log of change events."""
