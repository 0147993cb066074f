"""Forms of ipywidgets whose buttons do one line of the package each: read `base.py` first, then `order.py`."""
