"""The durable record of all that was sent. Read `ledger.py` first: what people use; a run uses `run_store.py`."""
