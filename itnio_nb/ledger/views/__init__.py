"""What people look at in a ledger without reading all of it: pages of its tables, counts, charts."""
