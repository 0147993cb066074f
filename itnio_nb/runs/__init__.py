"""Runs: plan what to send, submit it, reconcile what is unknown, write the results. Read `plan.py` first."""
