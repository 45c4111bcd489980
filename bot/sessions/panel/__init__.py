"""A session's message in its channel: text, picture, buttons."""
