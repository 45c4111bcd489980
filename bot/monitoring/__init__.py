"""Health, metrics and statistics for operators."""
