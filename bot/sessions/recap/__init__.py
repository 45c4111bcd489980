"""What is made of an ended session: statistics, message, page, mixtape."""
