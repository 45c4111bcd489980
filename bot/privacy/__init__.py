"""What is kept about members, and its erasure."""
