"""A ledger in a PostgreSQL server: how it is reached, its transactions, and the sessions of those at work."""
