"""What runs in the process of a Jupyter server that `lab` or `app` starts: read `launch.py` first."""
