"""Short work in a child process."""
