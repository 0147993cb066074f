"""Signing and sending: one signed request to the API, and what its answer means.

Read `client.py` first, then `transport.py` and `signing.py`. Nothing here needs pandas, a ledger or a notebook.
"""
