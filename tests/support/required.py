"""What a laptop may lack: without it a test is skipped, or fails where everything is required."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def lacking(words: str) -> NoReturn:
    """Skip the test, or fail it where everything is required."""
    if os.environ.get("ITNIO_TEST_EVERYTHING"):
        pytest.fail(words)
    pytest.skip(words)


def program(name: str, package: str) -> str:
    """Return the path of a program, which a Debian package has."""
    return shutil.which(name) or lacking(f"no {name}: on Debian and Ubuntu, apt install {package}")
