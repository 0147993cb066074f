"""Commands around the account: `login`, `logout`, `doctor`, `credentials`."""
