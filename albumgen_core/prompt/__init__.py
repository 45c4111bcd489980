"""From attributes to the prompt that a composer reads."""
