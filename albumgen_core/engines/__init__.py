"""The models behind the pipeline's stages: one interface (`base`), two families (`neural`, `sketch`)."""
