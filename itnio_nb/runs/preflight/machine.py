"""Checks of this machine: Python, packages, front ends, and the disk under the ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from itnio_nb.ledger.database.sqlite.file import free_bytes
from itnio_nb.ledger.ledger import Ledger

_PACKAGE = "itnio-nb"
_OLDEST_PYTHON = (3, 11)
_ROOM = 1_000_000_000  # bytes that should be free: a ledger of a million groups has less
# What each front end needs, by the extra that brings it.
_FRONT_ENDS = {
    "itnio-nb lab": ("lab", ("jupyterlab", "matplotlib")),
    "itnio-nb app": ("lab", ("voila",)),
    "itnio-nb run": ("runbook", ("bleach", "matplotlib", "nbconvert")),
}


class Check(NamedTuple):
    """One line of the table: `result` is `ok`, `warning`, `error`, or `note` for what only has to be known."""

    check: str
    result: str
    found: str
    advice: str = ""


def versions() -> Check:
    """Compare Python and the packages with what this package needs."""
    if sys.version_info < _OLDEST_PYTHON:
        return Check("versions", "error", "this Python is older than 3.11", "Install a newer one, and itnio-nb in it.")
    try:
        wrong = list(_unfit_packages())
    except PackageNotFoundError:
        return Check("versions", "warning", "not installed by pip; not tried", f"pip install {_PACKAGE}")
    if wrong:
        advice = f"pip install --upgrade {_PACKAGE}, in the environment of {Path(sys.executable).name}."
        return Check("versions", "error", "; ".join(wrong), advice)
    return Check("versions", "ok", "Python and all packages are as new as needed")


def installed_versions() -> list[tuple[str, str]]:
    """Return the packages that this one needs, with the versions that are installed."""
    try:
        names = [requirement.name for requirement in _requirements()]
        return [(name, version(name)) for name in [_PACKAGE, *names]]
    except PackageNotFoundError as error:
        return [(str(error.name), "not installed")]


def front_ends() -> Check:
    """Tell which commands lack a package of an extra."""
    lacking = {
        command: extra
        for command, (extra, modules) in _FRONT_ENDS.items()
        if any(find_spec(module) is None for module in modules)
    }
    if lacking:
        extras = ",".join(sorted(set(lacking.values())))
        found = f"{', '.join(lacking)}: packages are not installed"
        return Check("front ends", "warning", found, f'pip install "itnio-nb[{extras}]"')
    return Check("front ends", "ok", "what itnio-nb lab, app and run need is installed")


def disk(ledger: Ledger) -> list[Check]:
    """Tell whether the ledger has room to grow, where it is on a disk of this machine."""
    if ledger.is_shared:
        return []
    free = free_bytes(ledger.path)
    if free < _ROOM:
        found = f"only {free // 1_000_000:,} MB are free under the ledger"
        return [Check("disk", "warning", found, "Make room: nothing is sent that could not be recorded.")]
    return [Check("disk", "ok", "room for a million more groups in the ledger")]


def _requirements() -> Iterator[Requirement]:
    for text in requires(_PACKAGE) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _unfit_packages() -> Iterator[str]:
    for requirement in _requirements():
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is not installed"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} is {found}, and {requirement.specifier} is needed"
