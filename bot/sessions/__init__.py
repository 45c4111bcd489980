"""Listening sessions: people in a voice channel hear their covers together, and vote."""
