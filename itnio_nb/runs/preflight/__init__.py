"""What must be right before a batch: `preflight`, over this machine (`machine`), the account and the ledger."""
