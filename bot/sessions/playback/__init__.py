"""Playing a session in a voice channel."""
