"""InternVL2 (Chen et al. 2024): reads musical attributes from a cover, constrained to be valid."""
