"""A ledger in a SQLite file: its transactions and its disk, the locks beside it, and whether it is one of ours."""
