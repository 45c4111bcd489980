"""Audio in memory, encoding, mastering and tags."""
