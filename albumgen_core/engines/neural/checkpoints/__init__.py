"""Checkpoint files: finding, checking, mapping and reading them."""
