"""The short form of the torture of a team: `make torture-team` runs long."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.cluster import programs
from tests.support.factories import ROOT
from tests.support.namespaces import lack_of_namespaces
from tests.support.required import lacking


def test_machines_of_a_network_on_one_run_while_everything_fails() -> None:
    """Processes are killed, sessions ended, the server restarted, a cable pulled: each group is created once."""
    if lack := lack_of_namespaces():
        if getattr(os, "geteuid", int)() != 0:
            pytest.skip(lack)
        lacking(lack)
    programs()  # says what is lacking
    asked = {"groups": 150, "kills": 4, "ended": 4, "restarts": 1, "cut": 13, "rate": 12, "seed": 1}
    words = [f"--{name}={number}" for name, number in asked.items()]
    done = subprocess.run(  # in a process of its own, which goes to another network
        [sys.executable, "-m", "tests.torture.team", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in (
        "cut 1",
        "restart 1",
        "created twice: 0",
        "sent again after success: 0",
        "lost: 0   mismatches: 0",
    ):
        assert expected in done.stdout
