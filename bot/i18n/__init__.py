"""Members' texts in English and German."""
