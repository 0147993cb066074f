"""The commands of a batch: a table to fill in, a runbook that is executed, a run that is joined."""
