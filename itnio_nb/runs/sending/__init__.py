"""A run at work: claims, workers, pace, and what all who work on it have in common."""
