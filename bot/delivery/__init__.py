"""From the outbox to a message: sending, progress, recovery."""
