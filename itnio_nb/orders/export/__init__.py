"""Tables and files out; read `tables.py` first."""
