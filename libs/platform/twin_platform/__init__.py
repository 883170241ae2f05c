"""Ports that services share, and their adapters. An adapter is chosen by its URL's scheme."""
