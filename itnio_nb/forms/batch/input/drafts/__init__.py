"""Drafts: edited orders that are in no run yet, kept for the next form."""
