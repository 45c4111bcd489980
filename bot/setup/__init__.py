"""Token, commands and what the operator reads at start."""
