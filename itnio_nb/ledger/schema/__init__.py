"""The ledger's tables: what they are, how they are made and migrated, and who and what is written into them."""
