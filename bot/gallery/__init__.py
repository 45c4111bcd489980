"""Starred results, a member's history, and results shown again."""
