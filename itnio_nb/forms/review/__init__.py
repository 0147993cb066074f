"""The review of a ledger. Read `form.py` first."""
