"""The database that a ledger is kept in: its transactions, its room, and who is at work in it, for each engine."""
