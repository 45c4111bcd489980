"""Blind comparisons with and without similar albums, and their votes."""
