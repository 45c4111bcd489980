"""Starting, steering and ending sessions."""
