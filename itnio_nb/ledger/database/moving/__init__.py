"""A whole ledger somewhere else: copied into another database, or kept in a file. Read `copying.py` first."""
