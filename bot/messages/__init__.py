"""What messages contain and where they are."""
