"""Ledger and account compared: what a group needs (`actions`), what became of it (`rules`, `resolver`, `report`)."""
