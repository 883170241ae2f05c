"""Embedding models and their weights."""
