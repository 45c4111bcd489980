"""Permanent buttons, menus and pages."""
