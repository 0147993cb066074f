"""Which column of a file is which: what is known, what is chosen by hand, what is remembered."""
