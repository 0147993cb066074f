"""Where the orders of a batch come from, and what becomes of them before a run: read `orders_input.py` first."""
