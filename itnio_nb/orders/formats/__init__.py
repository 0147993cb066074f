"""Files, uploads and pasted text as tables of raw cells: read `source.py` first."""
