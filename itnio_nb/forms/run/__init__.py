"""A run in a form: the number that confirms it, and what it shows while it is at work."""
