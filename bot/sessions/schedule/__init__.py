"""Planned sessions and Discord's scheduled events."""
