"""The batch form, a file for each step but Submit, which the monitor is: read `form.py` first."""
