"""The pages of `/albumgen-help`."""
