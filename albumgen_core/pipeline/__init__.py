"""The stages from a cover to the files of a clip."""
