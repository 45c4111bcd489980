"""From untrusted bytes to a safe RGB cover."""
