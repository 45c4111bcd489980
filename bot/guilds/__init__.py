"""What each server has set, and who may ask for a clip."""
