"""From a member's wish to a journalled job."""
